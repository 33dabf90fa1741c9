import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { createPrng } from '../../base/prng.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import type { Bypass } from '../../core/bypasses.ts';
import { readExtents, readSectors, submitBio } from '../../testing/submit.ts';
import { World } from '../../testing/world.ts';

const SIZE = 16;
const DAY_MS = 86_400_000;

/** Of 16 sectors, the disk below full of 0xaa. Eight sectors of zeroes in front, so that the row begins at none. */
async function start(params: string, { seed = 1, startMs = 0 } = {}) {
  const clock = new SimulatedClock();
  await clock.advance(startMs);
  const disks = { A: { sizeSectors: SIZE + 4 } };
  const world = new World({ disks, clock, prng: createPrng(seed) });
  const disk = world.disks.get('A');
  disk.bytes.fill(0xaa);
  const table = `0 8 zero\n8 ${SIZE} flakey A 4 ${params}`;
  const device = await world.start('t', table);
  const { target } = device.live!.rows[1]!;
  const read = () => readSectors(device, 8, 2);
  const request = (op: Op, data?: Uint8Array) =>
    submitBio(device, {
      op,
      sector: op === Op.flush ? 0 : 8,
      sectorCount: op === Op.flush ? 0 : 2,
      ...(data && { data }),
    });
  const write = (value = 0x55) => request(Op.write, new Uint8Array(1024).fill(value));
  /** What each kind of request ends with. */
  const errors = async () => {
    const data = new Uint8Array(1024);
    return [
      await request(Op.read, data),
      await write(),
      await request(Op.discard),
      await request(Op.writeZeroes),
      await request(Op.flush),
    ];
  };
  return { clock, world, disk, device, target, read, write, request, errors };
}

const { EIO } = Errno;
const FINE = [0, 0, 0, 0, 0];
const ALL_FAIL = [EIO, EIO, EIO, EIO, EIO];

describe('flakey is up and down by the clock', () => {
  test('from the making of the table on, at whole seconds', async () => {
    const { clock, errors } = await start('3 2');
    for (const [ms, expected] of [
      [0, FINE],
      [2999.9, FINE],
      [0.1, ALL_FAIL],
      [1999.9, ALL_FAIL],
      [0.1, FINE],
      [3000, ALL_FAIL],
      [2000, FINE],
      [5 * DAY_MS, FINE],
      [3000, ALL_FAIL],
    ] as const) {
      await clock.advance(ms);
      expect(await errors()).toEqual(expected);
    }
  });

  test('a table that waits to be live loses of its time', async () => {
    const { clock, world, device, errors } = await start('1 0');
    await clock.advance(1700);
    await world.load(device, `0 8 zero\n8 ${SIZE} flakey A 4 3 2`);
    await clock.advance(2999);
    await device.resume();
    expect(await errors()).toEqual(FINE);
    await clock.advance(1);
    expect(await errors()).toEqual(ALL_FAIL);
  });

  test.each([
    ['0 5', ALL_FAIL],
    ['5 0', FINE],
  ])('%s is always the same', async (intervals, expected) => {
    const { clock, errors } = await start(intervals);
    for (const ms of [0, 4999, 2, DAY_MS]) {
      await clock.advance(ms);
      expect(await errors()).toEqual(expected);
    }
  });

  test('a bio is judged when it comes, not when it ends', async () => {
    const { clock, disk, read } = await start('1 1 5 corrupt_bio_byte 1 r 7 0');
    disk.answer = (finish) => clock.after(900, finish);
    await clock.advance(900);
    const early = read();
    await clock.advance(200);
    const late = read();
    await clock.advance(1000);
    expect([(await early)[0], (await late)[0]]).toEqual([0xaa, 7]);
  });
});

describe('flakey while down', () => {
  test.each<[string, number[], string[]]>([
    ['', ALL_FAIL, []],
    ['2 error_reads error_writes', ALL_FAIL, []],
    ['1 error_reads', [EIO, 0, 0, 0, 0], ['write', 'discard', 'write-zeroes', 'flush']],
    ['1 error_writes', [0, EIO, EIO, EIO, EIO], ['read']],
    ['1 drop_writes', FINE, ['read']],
    ['2 error_reads drop_writes', [EIO, 0, 0, 0, 0], []],
    ['5 corrupt_bio_byte 1 w 1 0', FINE, ['read', 'write', 'discard', 'write-zeroes', 'flush']],
  ])('%s', async (features, expected, reached) => {
    const { disk, errors } = await start(`0 1 ${features}`);
    expect(await errors()).toEqual(expected);
    expect(disk.recorded.map(({ op }) => op)).toEqual(reached);
  });

  test('a flush reaches the disk while up', async () => {
    const { disk, request } = await start('1 0');
    expect(await request(Op.flush)).toBe(0);
    expect(disk.recorded).toEqual([{ op: 'flush', sector: 0, sectorCount: 0, flags: 0 }]);
  });

  test('block status fails where reads fail, and knows no holes where they lie', async () => {
    const hidden = await start('0 1 5 corrupt_bio_byte 1 r 1 0');
    hidden.disk.bytes.fill(0);
    expect(await readExtents(hidden.device, 8, 2)).toEqual([
      { offsetSectors: 0, lengthSectors: 2, flags: 0 },
    ]);
    const failing = await start('0 1');
    await expect(readExtents(failing.device, 8, 2)).rejects.toThrow(/errno 5/);
    const plain = await start('0 1 1 drop_writes');
    plain.disk.bytes.fill(0);
    expect((await readExtents(plain.device, 8, 2))[0]!.flags).not.toBe(0);
  });

  test('a prefetch has nothing to corrupt, and costs no chance', async () => {
    const features = '0 1 2 random_read_corrupt 1000000000';
    const expected = await (await start(features)).read();
    const { device, read } = await start(features);
    const { prefetch } = BioFlag;
    const request = { op: Op.read, sector: 8, sectorCount: 2, flags: prefetch };
    expect(await submitBio(device, request)).toBe(0);
    expect(await read()).toEqual(expected);
  });
});

/** The bytes of `got` that are not `usual`, by index. */
function odd(got: Uint8Array, usual: number): Record<number, number> {
  return Object.fromEntries([...got.entries()].filter(([, value]) => value !== usual));
}

describe('corrupt_bio_byte', () => {
  test.each([
    ['1 r 9 0', { 0: 9 }],
    ['1024 r 255 0', { 1023: 255 }],
    ['600 R 0 0', { 599: 0 }],
    ['1025 r 9 0', {}],
    ['1 w 9 0', {}],
    ['1 r 9 2048', { 0: 9 }],
    ['1 r 9 1', {}],
    ['1 r 9 2147483648', {}],
  ])('%s: what is read', async (byte, expected) => {
    const { disk, read } = await start(`0 1 5 corrupt_bio_byte ${byte}`);
    expect(odd(await read(), 0xaa)).toEqual(expected);
    expect(odd(disk.bytes, 0xaa)).toEqual({});
  });

  test.each([
    ['1 w 9 0', { 0: 9 }],
    ['1024 W 255 0', { 1023: 255 }],
    ['1025 w 9 0', {}],
    ['1 r 9 0', {}],
    ['1 w 9 34817', { 0: 9 }],
    ['1 w 9 131072', {}],
    ['1 w 9 2147483649', {}],
  ])('%s: what is written, in a copy', async (byte, expected) => {
    const { disk, device } = await start(`0 1 5 corrupt_bio_byte ${byte}`);
    const data = new Uint8Array(1024 + 100).fill(0x55);
    const request = { op: Op.write, sector: 8, sectorCount: 2, data, dataOffset: 77 };
    expect(await submitBio(device, request)).toBe(0);
    expect(odd(disk.bytes.subarray(4 * 512).subarray(0, 1024), 0x55)).toEqual(expected);
    expect(odd(data, 0x55)).toEqual({});
  });

  test('131072 is FUA', async () => {
    const { disk, device } = await start('0 1 5 corrupt_bio_byte 1 w 9 131072');
    const data = new Uint8Array(512).fill(0x55);
    const request = { op: Op.write, sector: 8, sectorCount: 1, data, flags: BioFlag.fua };
    expect(await submitBio(device, request)).toBe(0);
    expect(disk.bytes[4 * 512]).toBe(9);
    expect(disk.recorded[0]!.flags).toBe(BioFlag.fua);
  });

  test('only data go wrong: what fails below fails', async () => {
    const { disk, read, write } = await start(
      '0 1 4 random_read_corrupt 1000000000 random_write_corrupt 1000000000',
    );
    disk.failure = () => Errno.ENOSPC;
    expect(await write()).toBe(Errno.ENOSPC);
    await expect(read()).rejects.toThrow(/errno 28/);
  });

  test('a read that fails below stays as it was', async () => {
    const { disk, request } = await start('0 1 5 corrupt_bio_byte 1 r 9 0');
    disk.failure = () => EIO;
    const data = new Uint8Array(1024);
    expect(await request(Op.read, data)).toBe(EIO);
    expect(odd(data, 0)).toEqual({});
  });
});

describe('random corruption', () => {
  const COUNT = 300;

  /** How many of so many reads and writes are corrupted. */
  async function count(features: string, seed: number) {
    const { disk, read, write } = await start(`0 1 ${features}`, { seed });
    const found = { reads: 0, writes: 0, places: new Set<string>() };
    for (let round = 0; round < COUNT; round += 1) {
      disk.bytes.fill(0xaa);
      const readWrong = Object.keys(odd(await read(), 0xaa));
      await write(0x55);
      const writeWrong = Object.keys(odd(disk.bytes.subarray(4 * 512, 6 * 512), 0x55));
      found.reads += readWrong.length;
      found.writes += writeWrong.length;
      for (const place of [...readWrong, ...writeWrong]) found.places.add(place);
    }
    return found;
  }

  test('none at 0, all at 1000000000 but those that hit the value that is there', async () => {
    const none = await count('3 random_read_corrupt 0 drop_writes', 1);
    expect(none).toMatchObject({ reads: 0 });
    const all = await count('4 random_read_corrupt 1000000000 random_write_corrupt 1000000000', 2);
    expect(all.reads).toBeGreaterThan(COUNT * 0.97);
    expect(all.writes).toBeGreaterThan(COUNT * 0.97);
    expect(all.places.size).toBeGreaterThan(COUNT * 0.5);
  });

  test('each direction by its own chance', async () => {
    const reads = await count('2 random_read_corrupt 500000000', 3);
    expect(reads.writes).toBe(0);
    expect(reads.reads).toBeGreaterThan(COUNT * 0.35);
    expect(reads.reads).toBeLessThan(COUNT * 0.65);
    const writes = await count('2 random_write_corrupt 500000000', 4);
    expect(writes.reads).toBe(0);
    expect(writes.writes).toBeGreaterThan(COUNT * 0.35);
    expect(writes.writes).toBeLessThan(COUNT * 0.65);
  });

  test('the same with the same seed', async () => {
    const features = '4 random_read_corrupt 300000000 random_write_corrupt 300000000';
    expect(await count(features, 5)).toEqual(await count(features, 5));
  });
});

describe('flakey passed by', () => {
  class Looking implements Bypass {
    seen: string[] = [];
    readonly #look: () => string;

    constructor(look: () => string) {
      this.#look = look;
    }

    quiesce(): Promise<void> {
      return Promise.resolve();
    }

    release(): void {
      this.seen.push(this.#look());
    }

    statistics() {
      return undefined;
    }
  }

  /** When other threads look anew, and what they find. */
  async function renewals(params: string, durationMs: number, startMs = 0) {
    const { clock, target, device } = await start(params, { startMs });
    const bypass = new Looking(
      () => `${clock.nowMs()} ${target.passThrough?.()?.ops ?? 'nothing'}`,
    );
    device.attachBypass(bypass);
    bypass.seen.push(`first ${target.passThrough?.()?.ops ?? 'nothing'}`);
    await clock.advance(durationMs);
    return { seen: bypass.seen, clock, device, target };
  }

  test('while up, and not from a little before it goes down', async () => {
    const { seen } = await renewals('3 2', 9000);
    expect(seen).toEqual(['first all', '2980 nothing', '5000 all', '7980 nothing']);
  });

  test('by timers that keep no process alive', async () => {
    const { clock } = await start('3 2');
    expect(clock.pendingCount).toBe(0);
  });

  test('for reads while down where they are left alone', async () => {
    const { seen } = await renewals('3 2 1 drop_writes', 6000);
    expect(seen).toEqual(['first all', '2980 reads', '5000 all']);
  });

  test.each([
    ['4 0', 'first all'],
    ['0 4', 'first nothing'],
    ['0 4 1 error_writes', 'first reads'],
    ['0 4 2 random_read_corrupt 5', 'first nothing'],
    ['0 4 2 random_write_corrupt 5', 'first reads'],
    ['0 4 5 corrupt_bio_byte 1 r 1 0', 'first nothing'],
    ['0 4 5 corrupt_bio_byte 1 w 1 0', 'first reads'],
  ])('%s: always the same, and no timer', async (params, expected) => {
    expect((await renewals(params, DAY_MS)).seen).toEqual([expected]);
  });

  test('at the same sectors', async () => {
    const { target } = await start('3 2');
    expect(target.passThrough?.()).toMatchObject({ sectors: -4, device: { operand: 'A' } });
  });

  test('years ahead, with timers that last weeks', async () => {
    const { clock, device, seen } = await renewals('100000000 1', 0);
    await clock.advance(100_000_000_000);
    expect(seen.at(-1)).toBe(`${100_000_000_000 - 20} nothing`);
    expect(seen.length).toBeLessThan(60);
    await device.suspend();
    seen.length = 0;
    await clock.advance(DAY_MS);
    expect(seen).toEqual([]);
  });

  test('when the sum of two moments is rounded to a moment before', async () => {
    const { seen } = await renewals('1 1', 5000, 45.62103330000001);
    expect(seen.at(-1)).toMatch(/ nothing$/);
    expect(seen.length).toBeLessThan(10);
  });

  test('no timer for a table that is no longer live', async () => {
    const { clock, device, world } = await start('3 2');
    await world.load(device, '0 8 linear A 0');
    await device.resume();
    const bypass = new Looking(() => 'looked');
    device.attachBypass(bypass);
    await clock.advance(60_000);
    expect(bypass.seen).toEqual([]);
  });
});
