/**
 * What a real kernel answers to a fixed question does not change with our code, and in an emulated machine asking takes minutes.
 * So its answers are kept in test/golden, ours are compared with all of them every time, and the kernel confirms a part of
 * them: another part every hour. DEVMAPPER_KERNEL=all asks everything, DEVMAPPER_KERNEL=2 always the third part.
 */

const HOUR_MS = 3_600_000;

/** Those of `items` whose turn it is when they are asked in `parts` turns. */
export function itemsOfTurn<T>(items: readonly T[], parts: number): T[] {
  const chosen = process.env['DEVMAPPER_KERNEL'] ?? '';
  if (chosen === 'all') return [...items];
  if (!/^\d*$/.test(chosen)) {
    throw new Error(`DEVMAPPER_KERNEL=${chosen}: expected a number or "all"`);
  }
  const turn = chosen === '' ? Math.floor(Date.now() / HOUR_MS) : Number(chosen);
  return items.filter((_, index) => index % parts === turn % parts);
}
