/** Lists of region ids as dmstats reads and writes them: `0-2,5`. */

/** A list of more could not be stored with a region. */
const MAX_ID = 1_000_000;

/** `[0, 1, 2, 5]` -> `0-2,5`; the ids ascend. */
export function formatIdList(ids: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const id of ids) {
    const range = ranges.at(-1);
    if (range && range.last + 1 === id) range.last = id;
    else ranges.push({ first: id, last: id });
  }
  return ranges
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(',');
}

/** The ids in ascending order, each once; null if the text is no list. */
export function parseIdList(text: string): number[] | null {
  const ids = new Set<number>();
  for (const part of text.split(',')) {
    const word = part.trim();
    if (word === '') continue;
    const range = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(word);
    if (!range) return null;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (first > last || last > MAX_ID) return null;
    for (let id = first; id <= last; id += 1) ids.add(id);
  }
  return [...ids].sort((one, other) => one - other);
}
