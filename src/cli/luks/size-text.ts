/** Sizes as cryptsetup takes them: `512`, `16M` and `16MiB` (1024), `16MB` (1000), `8s` (sectors of 512 bytes). */

import { SECTOR_BYTES } from '../../base/units.ts';

const POWERS = 'kmgt';

/** Throws Error with the reason. */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,15})([a-z]*)$/i.exec(text) ?? [];
  const factor = digits === '' ? undefined : factorOf(unit.toLowerCase());
  const bytes = factor === undefined ? Number.NaN : Number(digits) * factor;
  if (!Number.isSafeInteger(bytes)) {
    throw new Error(`expected a size in bytes, or with a suffix as in 16M, got "${text}"`);
  }
  return bytes;
}

function factorOf(unit: string): number | undefined {
  if (unit === '') return 1;
  if (unit === 's') return SECTOR_BYTES;
  const power = POWERS.indexOf(unit.charAt(0)) + 1;
  if (power === 0) return undefined;
  const rest = unit.slice(1);
  if (rest === '' || rest === 'ib') return 1024 ** power;
  return rest === 'b' ? 1000 ** power : undefined;
}
