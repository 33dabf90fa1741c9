import { describe, expect, test } from 'vitest';
import { withSeed } from '../../testing/seed.ts';
import { formatIdList, parseIdList } from './id-list.ts';
import { roundedPercent, twoDigits } from './number-text.ts';
import { auxiliaryText, parseRegionList, readCounters } from './region-text.ts';

describe('lists of ids', () => {
  test.each([
    [[], ''],
    [[3], '3'],
    [[0, 1, 2], '0-2'],
    [[0, 2], '0,2'],
    [[0, 1, 5, 7, 8], '0-1,5,7-8'],
  ])('%j is "%s"', (ids, text) => {
    expect(formatIdList(ids)).toBe(text);
    expect(parseIdList(text)).toEqual(ids);
  });

  test.each(['x', '2-1', '1-', '-1', '1-2-3', '0 1', '1-99999999', '1.5'])(
    '"%s" is none',
    (text) => {
      expect(parseIdList(text)).toBeNull();
    },
  );

  test('in any order, with blanks, and twice', () => {
    expect(parseIdList(' 5, 0 - 2 ,1,')).toEqual([0, 1, 2, 5]);
  });

  test('are read as they were written', async () => {
    await withSeed((prng) => {
      for (let round = 0; round < 200; round += 1) {
        const chance = prng.integer(1, 9);
        const ids = Array.from({ length: 40 }, (_, id) => id).filter(
          () => prng.integer(0, 9) < chance,
        );
        expect(parseIdList(formatIdList(ids))).toEqual(ids);
      }
      return Promise.resolve();
    });
  });
});

describe('lists of regions', () => {
  test('regions, groups and what users keep with them', () => {
    const list = parseRegionList(
      [
        '0: 0+65536 16384 dmstats DMS_GROUP=grp:0,2#text',
        '1: 5+3 1 - -',
        '2: 0+1024 512 prog aux precise_timestamps histogram:1000,10000',
        '7: 0+18446744073709551615 18446744073709551615 p - histogram:1,5',
        '',
      ].join('\n'),
    )!;
    expect(list.warnings).toEqual([]);
    expect([...list.groups.values()]).toEqual([{ id: 0, alias: 'grp', members: [0, 2] }]);
    expect(list.regions.get(0)).toMatchObject({ userData: 'text', groupId: 0, precise: false });
    expect(list.regions.get(1)).toMatchObject({ programId: '', userData: '', groupId: null });
    expect(list.regions.get(2)).toMatchObject({ precise: true, boundsNs: [1000n, 10000n] });
    expect(list.regions.get(7)).toMatchObject({
      length: 2n ** 64n - 1n,
      boundsNs: [1_000_000n, 5_000_000n],
    });
  });

  test('groups that name others, or nobody', () => {
    const list = parseRegionList(
      '0: 0+8 8 dmstats DMS_GROUP=:1-2#-\n3: 0+8 8 dmstats DMS_GROUP=a:3-4#-\n5: 0+8 8 dmstats DMS_GROUP=\n',
    )!;
    expect(list.warnings).toEqual([
      'Found invalid group descriptor in region 0 aux_data.',
      'Found invalid group descriptor in region 5 aux_data.',
      'Group descriptor 3 contains non-existent region_id 4.',
    ]);
    expect([...list.groups.values()]).toEqual([{ id: 3, alias: 'a', members: [3] }]);
  });

  test('something else is none', () => {
    expect(parseRegionList('0: 0+8\n')).toBeNull();
    expect(parseRegionList('')).toMatchObject({ warnings: [] });
  });

  test.each([
    [null, ''],
    ['alias', ''],
    [null, 'text'],
    ['alias', 'a#b'],
  ])('a group named %s with the text "%s" is read as it was kept', (alias, text) => {
    const group = { id: 1, alias, members: [1] };
    const list = parseRegionList(`1: 0+8 8 p ${auxiliaryText(group, text)}\n`)!;
    expect(list.groups.get(1)).toEqual(group);
    expect(list.regions.get(1)!.userData).toBe(text);
  });
});

describe('counters', () => {
  const read = (list: string, printed: string) => {
    const region = parseRegionList(list)!.regions.get(0)!;
    return { region, worked: readCounters(region, printed) };
  };

  test('in nanoseconds, and the extent as it was printed', () => {
    const printed =
      '0+33 1 2 3 4 5 6 7 8 9 10 11 12 13 1:2\n33+33 1 2 3 4 5 6 7 8 9 10 11 12 13 3:4\n';
    const { region, worked } = read('0: 0+50 33 p - histogram:1\n', printed);
    expect(worked).toBe(true);
    expect(region).toMatchObject({ start: 0n, length: 66n, step: 33n });
    expect(region.areas!.map(({ bins }) => bins)).toEqual([
      [1n, 2n],
      [3n, 4n],
    ]);
    expect(region.areas![0]!.counters).toMatchObject({
      reads: 1n,
      readNs: 4_000_000n,
      inProgress: 9n,
      totalWriteNs: 13_000_000n,
    });
    const precise = read(
      '0: 0+8 8 p - precise_timestamps\n',
      '0+8 1 2 3 4 5 6 7 8 9 10 11 12 13\n',
    );
    expect(precise.region.areas![0]!.counters).toMatchObject({ readNs: 4n, totalWriteNs: 13n });
  });

  test('something else is none', () => {
    expect(read('0: 0+8 8 p -\n', '').worked).toBe(false);
    expect(read('0: 0+8 8 p -\n', '0+8 1 2 3\n').worked).toBe(false);
  });
});

describe('numbers', () => {
  test.each([
    [0.125, '0.12'],
    [0.375, '0.38'],
    [2.5, '2.50'],
    [0.005, '0.01'],
    [1.005, '1.00'],
    [14.025, '14.03'],
    [14.0249, '14.02'],
    [-0.125, '-0.12'],
  ])('%d as printf writes it', (value, text) => {
    expect(twoDigits(value)).toBe(text);
  });

  test('little is not nothing, and nearly all not all', () => {
    expect(roundedPercent(0)).toBe(0);
    expect(roundedPercent(1)).toBe(0.01);
    expect(roundedPercent(99_999_999)).toBe(99.99);
    expect(roundedPercent(100_000_000)).toBe(100);
  });
});
