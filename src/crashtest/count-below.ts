/** How many of the first `count` numbers, which are sorted, are below `limit`. */
export function countBelow(
  numbers: readonly number[],
  limit: number,
  count: number = numbers.length,
): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
