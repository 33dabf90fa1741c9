/** Histograms of latencies: their bounds as users give them, and the texts that reports show. Bounds are nanoseconds. */

import { percentOf, twoDigits } from './number-text.ts';

const NS_PER_S = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;
const NS_PER_US = 1000n;

export interface Histogram {
  /** Where a bin ends and the next one begins; there is one more bin than bounds. */
  boundsNs: readonly bigint[];
  counts: readonly bigint[];
}

export interface HistogramStyle {
  values: 'none' | 'counts' | 'percent';
  bounds: 'none' | 'lower' | 'range';
  /** Bounds with the largest unit that makes them whole, instead of nanoseconds. */
  suffix: boolean;
  /** Values in columns of equal width. */
  aligned: boolean;
}

/** Why bounds are none; the text is for the user. */
export class BoundsError extends Error {
  override readonly name = 'BoundsError';
}

/** `1ms,10ms` or `100us,5ms,1s`. A number without a unit has that of the one before it, the first one ns. */
export function parseBounds(text: string): bigint[] {
  const bounds: bigint[] = [];
  let unitNs = 1n;
  let rest = text;
  do {
    if (rest.startsWith(',')) throw new BoundsError(`Empty histogram bin not allowed: ${text}`);
    const [all = '', digits = '', unit, comma] = /^(\d*)(s|ms|us|ns)?(,)?/.exec(rest)!;
    const isEnded = comma !== undefined || all === rest;
    if (all === '' || (unit === undefined && !isEnded))
      throw badCharacter(rest.slice(digits.length));
    if (unit !== undefined) unitNs = unitOf(unit);
    bounds.push(BigInt(digits === '' ? '0' : digits) * unitNs);
    rest = rest.slice(all.length);
  } while (rest !== '');
  return bounds;
}

function badCharacter(rest: string): BoundsError {
  return new BoundsError(`Invalid character in histogram: ${rest[0] ?? ''}`);
}

function unitOf(unit: string): bigint {
  return { s: NS_PER_S, ms: NS_PER_MS, us: NS_PER_US }[unit] ?? 1n;
}

/** Whether milliseconds cannot express them. */
export function needPrecision(boundsNs: readonly bigint[]): boolean {
  return boundsNs.some((bound) => bound % NS_PER_MS !== 0n);
}

/** As a message asks for them: in ns, or in ms. */
export function boundsArgument(boundsNs: readonly bigint[], precise: boolean): string {
  return boundsNs.map((bound) => (precise ? bound : bound / NS_PER_MS)).join(',');
}

const COUNT_WIDTH = 6;

export function histogramText(histogram: Histogram, style: HistogramStyle): string {
  const { counts } = histogram;
  const width = style.aligned && style.values !== 'none' ? COUNT_WIDTH : 0;
  const last = counts.length - 1;
  return counts
    .map((_, bin) => {
      const bound = style.bounds === 'none' ? '' : boundText(histogram, bin, style, width > 0);
      const boundWidth = (style.suffix ? 6 : 10) + 1;
      // A longer bound takes room from the value, a shorter one leaves it some.
      const excess = width > 0 && bound !== '' ? bound.length - boundWidth : 0;
      const room = Math.max(width - excess, 0);
      const value = valueText(histogram, bin, style.values, room);
      return bound + value + (bin === last ? '' : separator(style, room));
    })
    .join('');
}

function separator({ values, bounds }: HistogramStyle, room: number): string {
  if (bounds !== 'none') return room > 0 || values === 'none' ? ',' : ':';
  return values !== 'none' && room === 0 ? ':' : '';
}

function boundText(
  { boundsNs }: Histogram,
  bin: number,
  style: HistogramStyle,
  padded: boolean,
): string {
  const lower = timeText(bin === 0 ? 0n : boundsNs[bin - 1]!, style.suffix);
  const upper = boundsNs[bin];
  const end = style.values === 'none' ? '' : ':';
  const width = padded ? (style.suffix ? 6 : 10) : 0;
  if (style.bounds === 'lower') return lower.padStart(width) + end;
  if (upper === undefined) return `>${lower}`.padStart(width) + end;
  return `${lower}-${timeText(upper, style.suffix)}${end}`;
}

function timeText(ns: bigint, suffix: boolean): string {
  if (!suffix) return String(ns);
  if (ns % NS_PER_S === 0n) return `${ns / NS_PER_S}s`;
  if (ns % NS_PER_MS === 0n) return `${ns / NS_PER_MS}ms`;
  if (ns % NS_PER_US === 0n) return `${ns / NS_PER_US}us`;
  return `${ns}ns`;
}

function valueText(
  { counts }: Histogram,
  bin: number,
  values: HistogramStyle['values'],
  width: number,
): string {
  const count = counts[bin]!;
  if (values === 'none') return '';
  if (values === 'counts') return String(count).padStart(width);
  const sum = counts.reduce((total, each) => total + each, 0n);
  const millionths = count === 0n ? 0 : percentOf(Number(count), Number(sum));
  return `${twoDigits(Math.fround(millionths / 1e6)).padStart(width)}%`;
}
