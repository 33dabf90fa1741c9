import { describe, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Op } from '../core/bio.ts';
import { Mapper } from '../core/mapper.ts';
import { parseTable } from '../core/table-text.ts';
import { createTargetRegistry } from '../core/target.ts';
import { submitBio } from '../testing/submit.ts';
import { describeTarget } from '../testing/target-laws.ts';
import { TestDisks } from '../testing/test-disk.ts';
import { striped } from './striped.ts';

describeTarget(striped, {
  version: '1.7.0',
  disks: { S: { sizeSectors: 64 }, P: { limits: { physicalBlockBytes: 4096, ioOptBytes: 99 } } },
  maps: [
    {
      line: '0 32 striped 2 4 A 8 B 0',
      at: [
        [0, 'A', 8],
        [3, 'A', 11],
        [4, 'B', 0],
        [8, 'A', 12],
        [31, 'B', 15],
      ],
      status: '2 A B 1 AA',
      limits: { ioMinBytes: 2048, ioOptBytes: 4096 },
    },
    {
      line: '10 63 striped 3 7 A 1 B 2 C 3',
      at: [
        [10, 'A', 1],
        [17, 'B', 2],
        [24, 'C', 3],
        [72, 'C', 23],
      ],
      status: '3 A B C 1 AAA',
    },
    { line: '0 40 striped 1 8 A 0', status: '1 A 1 A' },
    // One disk may hold several stripes.
    { line: '0 128 striped 2 64 A 0 A 1000', status: '2 A A 1 AA' },
    {
      line: '0 16 striped 2 2 P 0 P 100',
      status: '2 P P 1 AA',
      limits: { ioMinBytes: 4096, ioOptBytes: 2048 },
    },
    {
      line: '0 25769803776 striped 3 128 A 0 B 4294967296 C 0',
      at: [
        [25769803775, 'C', 8589934591],
        [12884901888 + 128, 'B', 4294967296 * 2],
      ],
      status: '3 A B C 1 AAA',
    },
  ],
  rejects: [
    { line: '0 32 striped', error: /striped: Not enough arguments/ },
    { line: '0 32 striped 2', error: /Not enough arguments/ },
    { line: '0 32 striped 0 4 A 0', error: /Invalid stripe count: .* got "0"/ },
    { line: '0 32 striped x 4 A 0', error: /Invalid stripe count/ },
    { line: '0 32 striped 4294967298 4 A 0 B 0', error: /Invalid stripe count/ },
    { line: '0 32 striped 2 0 A 0 B 0', error: /Invalid chunk_size/ },
    { line: '0 32 striped 2 4294967296 A 0 B 0', error: /Invalid chunk_size/ },
    { line: '0 33 striped 2 4 A 0', error: /length not divisible by number of stripes: 33 / },
    { line: '0 36 striped 2 4 A 0', error: /length not divisible by chunk size: 18 / },
    { line: '0 32 striped 2 4', error: /Not enough destinations specified/ },
    { line: '0 32 striped 2 4 A 0 B', error: /Not enough destinations specified/ },
    { line: '0 32 striped 2 4 A 0 B 0 C 0', error: /Not enough destinations specified/ },
    { line: '0 32 striped 2 4 A 0 B +1', error: /Couldn't parse stripe destination/ },
    { line: '0 32 striped 2 4 A 0 missing x', error: /parse stripe destination: <offset>/ },
    {
      line: '0 32 striped 2 4 A 0 missing 0',
      code: 'ENOENT',
      error: /Couldn't parse stripe destination: .*missing/,
    },
    { line: '0 32 striped 2 4 A 0 S 49', error: /S too small for target: start=49, len=16/ },
  ],
});

describe('striped', () => {
  async function create(line: string, disks = new TestDisks()) {
    const mapper = new Mapper({ registry: createTargetRegistry([striped]), opener: disks });
    const device = mapper.create({ name: 'striped' });
    await mapper.load(device, parseTable(line));
    await device.resume();
    return { device, disks };
  }

  test('numbers may carry a plus sign', async () => {
    const { device } = await create('0 32 striped +2 +4 A 0 B 0');
    expect(device.live!.tableLines()).toEqual(['0 32 striped 2 4 A 0 B 0']);
  });

  test.each([
    ['discard', Op.discard],
    ['write-zeroes', Op.writeZeroes],
  ] as const)('a %s of 1 TiB is one bio a stripe', async (op, number) => {
    const tebibyte = 2 ** 31;
    const { device, disks } = await create(`0 ${tebibyte} striped 4 8 A 0 B 8 C 0 D 0`);
    const request = { op: number, sector: 9, sectorCount: tebibyte - 20 };
    expect(await submitBio(device, request)).toBe(0);
    const quarter = tebibyte / 4;
    expect(disks.all().map(({ recorded }) => recorded)).toEqual([
      [{ op, sector: 8, sectorCount: quarter - 8, flags: 0 }],
      [{ op, sector: 9, sectorCount: quarter - 1, flags: 0 }],
      [{ op, sector: 0, sectorCount: quarter - 3, flags: 0 }],
      [{ op, sector: 0, sectorCount: quarter - 8, flags: 0 }],
    ]);
  });

  test('a discard inside one chunk reaches one stripe alone', async () => {
    const { device, disks } = await create('0 32 striped 2 4 A 0 B 0');
    expect(await submitBio(device, { op: Op.discard, sector: 13, sectorCount: 2 })).toBe(0);
    expect(disks.get('A').recorded).toEqual([]);
    expect(disks.get('B').recorded).toEqual([
      { op: 'discard', sector: 5, sectorCount: 2, flags: 0 },
    ]);
  });

  test('a failing disk marks its stripes and raises events, up to a limit', async () => {
    const { device, disks } = await create('0 64 striped 4 4 A 0 B 0 A 100 A 200');
    const read = (sector: number) =>
      submitBio(device, { op: Op.read, sector, sectorCount: 1, data: new Uint8Array(512) });
    disks.get('A').failure = () => Errno.ENOTSUP;
    expect(await read(0)).toBe(Errno.ENOTSUP);
    expect(device.live!.statusLines()).toEqual(['0 64 striped 4 A B A A 1 AAAA']);
    disks.get('A').failure = () => Errno.EIO;
    expect(await read(4)).toBe(0);
    expect(device.eventNumber).toBe(0);
    expect(await read(0)).toBe(Errno.EIO);
    expect(device.live!.statusLines()).toEqual(['0 64 striped 4 A B A A 1 DADD']);
    expect(device.eventNumber).toBe(3);
    for (let count = 0; count < 30; count += 1) await read(0);
    expect(device.eventNumber).toBe(42);
  });
});
