/** The few statistics the reports need. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(sum(values.map(Math.log)) / values.length);
}

/** (max - min) / median: how far rounds lie apart, which is how small a difference means nothing. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * The percentile that requests at a steady pace would have seen. A client that waits for each answer sends nothing during a stall and so
 * notes it once, however long it lasts; here every request that was due meanwhile counts with what it would have waited.
 * `counts`: latency -> how often it was seen; latency and `interval` in the same unit, `percentile` in 0 .. 1.
 */
export function pacedPercentile(
  counts: ReadonlyMap<number, number>,
  options: { interval: number; percentile: number },
): number {
  const all: { latency: number; count: number }[] = [];
  for (const [seen, count] of counts) {
    for (let latency = seen; latency > 0; latency -= options.interval) all.push({ latency, count });
  }
  all.sort((a, b) => a.latency - b.latency);
  const wanted = options.percentile * sum(all.map(({ count }) => count));
  let passed = 0;
  for (const { latency, count } of all) {
    passed += count;
    if (passed >= wanted) return latency;
  }
  return Number.NaN;
}
