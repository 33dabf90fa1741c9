/** Numbers as C's printf writes them, and percentages as libdevmapper rounds them. */

/** `%.2f`: an exact half goes to the even neighbour, where `toFixed` goes up. */
export function twoDigits(value: number): string {
  const halves = value * 200;
  const isTie = Number.isInteger(value * 8) && Number.isInteger(halves) && halves % 2 !== 0;
  if (!isTie) return value.toFixed(2);
  const below = Math.floor(value * 100);
  return ((below % 2 === 0 ? below : below + 1) / 100).toFixed(2);
}

/** Percent in millionths, as libdevmapper keeps them: 0 and 100 only for what is exactly that. */
export function percentOf(part: number, whole: number): number {
  const all = 100_000_000;
  if (whole === 0 || part === whole) return all;
  if (part === 0) return 0;
  const percent = Math.trunc(all * (part / whole));
  return Math.min(Math.max(percent, 1), all - 1);
}

/** As a number with two digits; what is not 0 or 100 does not look so. */
export function roundedPercent(millionths: number): number {
  const percent = Math.fround(millionths / 1e6);
  if (millionths === 0 || millionths === 100_000_000) return percent;
  return Math.min(Math.max(percent, 0.01), 99.99);
}
