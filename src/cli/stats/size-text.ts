/**
 * Sizes as dmstats takes them (`--start 1M`) and prints them (`--units h`). Sectors are 64-bit numbers that wrap, since dmstats prints what
 * they wrap to. Units: small letters are powers of 1024, capitals of 1000; s sectors, b bytes, h whatever is readable.
 */

import { twoDigits } from './number-text.ts';

const SECTOR_BYTES = 512n;
const PREFIXES = ['e', 'p', 't', 'g', 'm', 'k', 'b'] as const;

export interface Units {
  /** The letter, or `U` with a number in front of it. */
  type: string;
  factor: bigint;
}

/** Reads `m`, `K`, `4k`, `1.5k`; null for none. What follows the letter does not matter. */
export function parseUnits(text: string): Units | null {
  const match = /^(\d*\.?\d*)(.)/.exec(text);
  if (!match) return null;
  const [, number = '', letter = ''] = match;
  if (number !== '' && !/^\d/.test(number)) return null;
  if (/[hHrR]/.test(letter)) return { type: letter, factor: 1n };
  const multiplier = multiplierOf(letter);
  if (multiplier === null) return null;
  const count = number === '' ? 1 : Number(number);
  const factor = Number.isInteger(count)
    ? BigInt(count) * multiplier
    : BigInt(Math.trunc(count * Number(multiplier)));
  return { type: count === 1 ? letter : 'U', factor };
}

function multiplierOf(letter: string): bigint | null {
  if (/[bB]/.test(letter)) return 1n;
  if (/[sS]/.test(letter)) return SECTOR_BYTES;
  const power = 'kmgtpe'.indexOf(letter.toLowerCase()) + 1;
  if (power === 0) return null;
  return (letter === letter.toLowerCase() ? 1024n : 1000n) ** BigInt(power);
}

/** A size in sectors from bytes with units, or from sectors without; null: it does not begin with a number. */
export function parseSectors(text: string): bigint | null {
  const match = /^\s*(\d{1,20})(.*)$/s.exec(text);
  if (!match) return null;
  const [, digits = '', unit = ''] = match;
  if (unit === '') return BigInt.asUintN(64, BigInt(digits) * SECTOR_BYTES) / SECTOR_BYTES;
  const factor = parseUnits(unit)?.factor ?? 1n;
  return BigInt.asUintN(64, BigInt(digits) * factor) / SECTOR_BYTES;
}

/** What is not readable in itself comes without its unit, as dmstats prints it. */
export function formatSectors(sectors: bigint, units: Units): string {
  if (sectors === 0n) return '0';
  const bytes = BigInt.asUintN(64, sectors * SECTOR_BYTES);
  if (/[hHrR]/.test(units.type)) return readable(bytes, units.type);
  const value = Number(bytes) / Number(units.factor);
  return /[bBsS]/.test(units.type) ? value.toFixed(0) : twoDigits(value);
}

function readable(bytes: bigint, type: string): string {
  const isDecimal = type === 'H' || type === 'R';
  const step = isDecimal ? 1000n : 1024n;
  let unit = step ** 6n;
  let index = 0;
  while (index < PREFIXES.length - 1 && bytes < unit) {
    unit /= step;
    index += 1;
  }
  const prefix = PREFIXES[index]!;
  const value = Number(bytes) / Number(unit);
  if (prefix === 'b') return `${value.toFixed(0)}${isDecimal ? 'B' : 'b'}`;
  const hundredths = (100 * Number(bytes)) / Number(unit);
  const cut = /[rR]/.test(type) && Math.abs(Math.floor(hundredths) - Math.round(hundredths)) > 1e-9;
  return `${cut ? '<' : ''}${twoDigits(value)}${isDecimal ? prefix.toUpperCase() : prefix}`;
}
