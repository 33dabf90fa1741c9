/** 64-bit fields of kernel structures as numbers, without the bigint that DataView would make for each. */
import { assert } from '../base/assert.ts';

const TWO_POW_32 = 2 ** 32;

export function putU64(view: DataView, at: number, value: number): void {
  assert(
    Number.isSafeInteger(value) && value >= 0,
    'a 64-bit field takes whole numbers from 0 to 2^53 - 1',
  );
  view.setUint32(at, value, true);
  view.setUint32(at + 4, value / TWO_POW_32, true);
}

export function getU64(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_POW_32;
  assert(Number.isSafeInteger(value), 'the kernel answers sizes below 2^53');
  return value;
}
