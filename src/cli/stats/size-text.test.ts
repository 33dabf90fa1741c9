import { expect, test } from 'vitest';
import { formatSectors, parseSectors, parseUnits } from './size-text.ts';

const MiB = 2048n;

test.each([
  ['100', 100n],
  ['1000', 1000n],
  ['3k', 6n],
  ['3K', 5n],
  ['1M', 1953n],
  ['1m', MiB],
  ['2g', 4_194_304n],
  ['8s', 8n],
  ['1024b', 2n],
  // An unknown unit is left out, and so bytes are meant.
  ['5q', 0n],
  ['1024q', 2n],
  ['18446744073709551615', (1n << 55n) - 1n],
  ['x', null],
  ['', null],
  ['-1', null],
])('the size "%s" is %s sectors', (text, sectors) => {
  expect(parseSectors(text)).toBe(sectors);
});

/** As dmstats 1.02.185 printed them. */
test.each([
  ['h', 0n, '0'],
  ['h', 1n, '512b'],
  ['h', 8n, '4.00k'],
  ['h', 1953n, '976.50k'],
  ['h', 21846n, '10.67m'],
  ['h', 65536n, '32.00m'],
  ['h', (1n << 49n) * 1953n, '8.25e'],
  ['h', (1n << 49n) * 16384n, '0b'],
  ['H', 65536n, '33.55M'],
  ['H', 6n, '3.07K'],
  ['H', 1n, '512B'],
  ['r', 65536n, '32.00m'],
  ['s', 1953n, '1953'],
  ['B', 65536n, '33554432'],
  ['k', 1953n, '976.50'],
  ['3k', 65536n, '10922.67'],
  ['1.5k', 65536n, '21845.33'],
])('in units of %s, %s sectors are %s', (units, sectors, text) => {
  expect(formatSectors(sectors, parseUnits(units)!)).toBe(text);
});

test.each(['q', '', '1', '.5'])('"%s" is no unit', (text) => {
  expect(parseUnits(text)).toBeNull();
});
