import { describe, expect, test } from 'vitest';
import { BioFlag, Op } from '../../core/bio.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import { readWriteLog } from '../../formats/write-log/read-write-log.ts';
import { MemoryByteDisk } from '../../testing/memory-disk.ts';
import { submitBio } from '../../testing/submit.ts';
import { describeTarget } from '../../testing/target-laws.ts';
import type { TestDisk, TestDiskOptions } from '../../testing/test-disk.ts';
import { World } from '../../testing/world.ts';
import { createLogWrites, logWrites } from './index.ts';

describeTarget(logWrites, {
  version: '1.1.0',
  features: ['owns-flush'],
  disks: {
    S: { sizeSectors: 100 },
    K: { limits: { logicalBlockBytes: 4096, physicalBlockBytes: 4096 } },
    N: { limits: { discardGranularityBytes: 0 } },
  },
  maps: [
    {
      line: '0 100 log-writes A L',
      at: [
        [0, 'A', 0],
        [99, 'A', 99],
      ],
      status: '0 0',
    },
    // As in the kernel: the row's start is not taken off.
    { line: '64 16 log-writes A L', at: [[64, 'A', 64]], status: '0 0' },
    {
      line: '0 64 log-writes K L',
      status: '0 7',
      limits: { logicalBlockBytes: 4096, ioMinBytes: 4096 },
    },
    // Too long for the model, in which a discard clears.
    { line: '0 5000 log-writes N L', status: '0 0', limits: { discardGranularityBytes: 512 } },
    // What the kernel does not look at.
    { line: '0 100 log-writes A L more words', prints: 'A L', status: '0 0' },
  ],
  rejects: [
    { line: '0 100 log-writes', error: /log-writes: Invalid argument count/ },
    { line: '0 100 log-writes A', error: /log-writes: Invalid argument count/ },
    { line: '0 100 log-writes missing L', code: 'ENOENT', error: /: Device lookup failed/ },
    { line: '0 100 log-writes A missing', code: 'ENOENT', error: /: Log device lookup failed/ },
    { line: '0 101 log-writes S L', error: /S too small for target: start=0, len=101/ },
    { line: '0 63 log-writes K L', error: /not aligned to h\/w logical block size 4096/ },
  ],
  exempt: ['extra argument'],
});

const DISK_SECTORS = 256;

class Rig {
  readonly world: World;
  readonly disk: TestDisk;
  readonly log: TestDisk;
  /** Bios that the disk has not ended, by their number in the order of arrival; null: it ends them at once. */
  held: (() => void)[] | null = null;

  constructor(options: { log?: TestDiskOptions; disk?: TestDiskOptions; keptBytes?: number } = {}) {
    const { keptBytes } = options;
    const types = keptBytes === undefined ? [] : [createLogWrites({ keptBytes })];
    const disks = {
      A: { sizeSectors: DISK_SECTORS, ...options.disk },
      L: { sizeSectors: 1024, ...options.log },
    };
    this.world = new World({ disks, types });
    this.disk = this.world.disks.get('A');
    this.log = this.world.disks.get('L');
    this.disk.answer = (finish) => {
      if (this.held) this.held.push(finish);
      else finish();
    };
  }

  start(table = `0 ${DISK_SECTORS} log-writes A L`) {
    return this.world.start('t', table);
  }

  async read() {
    const log = await readWriteLog(new MemoryByteDisk(this.log.bytes));
    const entries = Array.from({ length: log.entryCount }, (_, entry) => shown(log, entry));
    expect(log.tear).toBeNull();
    return { log, entries };
  }
}

type Log = Awaited<ReturnType<typeof readWriteLog>>;

/** `W8+8`, `FUA16+1`, `flush`, `D8+8`, `mark:hello` */
function shown(log: Log, entry: number): string {
  const kind = log.kind(entry);
  if (kind === 'flush') return kind;
  if (kind === 'mark') return `mark:${log.mark(entry)}`;
  const isFua = log.flags(entry) & WriteLogFlag.fua;
  const letter = kind === 'discard' ? 'D' : isFua ? 'FUA' : 'W';
  return `${letter}${log.sector(entry)}+${log.sectorCount(entry)}`;
}

type Device = Awaited<ReturnType<Rig['start']>>;

function write(device: Device, sector: number, { fua = false, fill = sector, count = 1 } = {}) {
  const data = new Uint8Array(count * 512).fill(fill);
  const flags = fua ? BioFlag.fua : 0;
  return submitBio(device, { op: Op.write, sector, sectorCount: count, data, flags });
}

function flush(device: Device) {
  return submitBio(device, { op: Op.flush });
}

const END = 'mark:dm-log-writes-end';

describe('what is in the log', () => {
  test('writes when a flush has ended, FUA at once, discards, marks, and the end', async () => {
    const rig = new Rig();
    const device = await rig.start();
    await write(device, 1);
    await write(device, 2, { fua: true });
    await submitBio(device, { op: Op.discard, sector: 64, sectorCount: 32 });
    await write(device, 64);
    await flush(device);
    await device.message(0, ['mark', 'hello']);
    await write(device, 3, { count: 4 });
    await rig.world.mapper.remove(device);
    const { log, entries } = await rig.read();
    expect(entries).toEqual([
      'FUA2+1',
      'W1+1',
      'D64+32',
      'W64+1',
      'flush',
      'mark:hello',
      'W3+4',
      END,
    ]);
    const at = log.dataOffsetBytes(6);
    expect(rig.log.bytes.subarray(at, at + 2048).every((byte) => byte === 3)).toBe(true);
  });

  test("is in the document's order: W1,W2,W3,C3,C2,Wflush,C1,Cflush", async () => {
    const rig = new Rig();
    const device = await rig.start();
    rig.held = [];
    const writes = [write(device, 1), write(device, 2), write(device, 3)];
    const [end1, end2, end3] = rig.held as [() => void, () => void, () => void];
    end3();
    end2();
    const flushed = flush(device);
    end1();
    rig.held[3]!();
    await Promise.all([...writes, flushed]);
    rig.held = null;
    await rig.world.mapper.remove(device);
    expect((await rig.read()).entries).toEqual(['W3+1', 'W2+1', 'flush', 'W1+1', END]);
  });

  test('has two flushes under way in the order in which they ended, each with its own', async () => {
    const rig = new Rig();
    const device = await rig.start();
    await write(device, 1);
    rig.held = [];
    const first = flush(device);
    const fua = write(device, 9, { fua: true });
    rig.held[1]!();
    await fua;
    const second = write(device, 2);
    rig.held[2]!();
    await second;
    const third = flush(device);
    rig.held[3]!();
    await third;
    rig.held[0]!();
    await first;
    rig.held = null;
    await rig.world.mapper.remove(device);
    expect((await rig.read()).entries).toEqual(['FUA9+1', 'W2+1', 'flush', 'W1+1', 'flush', END]);
  });

  test('is what was there when the write ended, not later', async () => {
    const rig = new Rig();
    const device = await rig.start();
    const data = new Uint8Array(512).fill(1);
    await submitBio(device, { op: Op.write, sector: 0, sectorCount: 1, data });
    data.fill(2);
    await rig.world.mapper.remove(device);
    expect(rig.log.bytes[1024]).toBe(1);
  });

  test('zeroes are written to it, however many', async () => {
    const rig = new Rig({ disk: { sizeSectors: 8192 }, log: { sizeSectors: 16384 } });
    const device = await rig.start('0 8192 log-writes A L');
    rig.log.bytes.fill(9);
    const sectorCount = 5000;
    expect(await submitBio(device, { op: Op.writeZeroes, sector: 8, sectorCount })).toBe(0);
    await rig.world.mapper.remove(device);
    const { log, entries } = await rig.read();
    expect(entries).toEqual(['W8+5000', END]);
    const at = log.dataOffsetBytes(0);
    const zeros = rig.log.bytes.subarray(at, at + sectorCount * 512);
    expect(zeros.every((byte) => byte === 0)).toBe(true);
    expect(rig.disk.recorded.map(({ op }) => op)).toContain('write-zeroes');
  });

  test('is not asked for zeroes that must be fast', async () => {
    const rig = new Rig();
    const device = await rig.start();
    const request = { op: Op.writeZeroes, sector: 8, sectorCount: 8, flags: BioFlag.fastZero };
    expect(await submitBio(device, request)).toBe(95);
    expect(rig.disk.recorded).toEqual([]);
  });

  test('discards are logged and nothing else where the disk has none', async () => {
    const rig = new Rig({ disk: { limits: { discardGranularityBytes: 0 } } });
    const device = await rig.start();
    expect(await submitBio(device, { op: Op.discard, sector: 8, sectorCount: 8 })).toBe(0);
    await rig.world.mapper.remove(device);
    expect((await rig.read()).entries).toEqual(['D8+8', END]);
    expect(rig.disk.recorded).toEqual([]);
  });

  test('failed writes are in it as well, as the kernel has them', async () => {
    const rig = new Rig();
    const device = await rig.start();
    rig.disk.failure = () => 5;
    expect(await write(device, 1)).toBe(5);
    await rig.world.mapper.remove(device);
    expect((await rig.read()).entries).toEqual(['W1+1', END]);
  });

  test('counts log sectors of the size of a block', async () => {
    const limits = { logicalBlockBytes: 4096 };
    const rig = new Rig({ disk: { limits } });
    const device = await rig.start();
    await write(device, 16, { count: 8, fua: true });
    await submitBio(device, { op: Op.discard, sector: 128, sectorCount: 128 });
    await rig.world.mapper.remove(device);
    const { log, entries } = await rig.read();
    expect(log.sectorBytes).toBe(4096);
    expect(entries).toEqual(['FUA16+8', 'D128+128', END]);
    expect(rig.log.bytes[4096]).toBe(2);
  });

  test('data larger than what is written at once', async () => {
    const rig = new Rig({ disk: { sizeSectors: 8192 }, log: { sizeSectors: 16384 } });
    const device = await rig.start('0 8192 log-writes A L');
    const data = new Uint8Array(5000 * 512).map((_, index) => index >> 9);
    await submitBio(device, { op: Op.write, sector: 1, sectorCount: 5000, data });
    await write(device, 0);
    await rig.world.mapper.remove(device);
    const { log, entries } = await rig.read();
    expect(entries).toEqual(['W1+5000', 'W0+1', END]);
    const at = log.dataOffsetBytes(0);
    expect(Buffer.compare(rig.log.bytes.subarray(at, at + data.length), data)).toBe(0);
  });
});

describe('the super block', () => {
  test('counts nothing of an older log before the first mark or FUA', async () => {
    const rig = new Rig();
    const device = await rig.start();
    await device.message(0, ['mark', 'one']);
    await rig.world.mapper.remove(device);
    const again = await rig.start();
    await write(again, 1);
    await flush(again);
    await new Promise(setImmediate);
    const log = await readWriteLog(new MemoryByteDisk(rig.log.bytes));
    expect(log.entryCount).toBe(0);
    const all = await readWriteLog(new MemoryByteDisk(rig.log.bytes), { pastCount: true });
    expect(shown(all, 0)).toBe('W1+1');
  });

  test('is written behind a write with FUA, which it counts', async () => {
    const rig = new Rig();
    const device = await rig.start();
    await write(device, 1, { fua: true });
    await new Promise(setImmediate);
    expect((await rig.read()).entries).toEqual(['FUA1+1']);
    const written = rig.log.recorded.map(({ op, sector }) => `${op} ${sector}`);
    expect(written).toEqual(['write 0', 'write 1', 'write 0']);
  });

  test('is not touched by a table that was never live', async () => {
    const rig = new Rig();
    const device = await rig.start('0 8 zero');
    await rig.world.load(device, `0 ${DISK_SECTORS} log-writes A L`);
    await device.clear();
    expect(rig.log.recorded).toEqual([]);
  });

  test('and its log are durable when the device is gone', async () => {
    const rig = new Rig();
    const device = await rig.start();
    await rig.world.mapper.remove(device);
    expect(rig.log.recorded.at(-1)?.op).toBe('flush');
    expect((await rig.read()).entries).toEqual([END]);
  });
});

describe('status', () => {
  test('counts entries and sectors at once', async () => {
    const device = await new Rig().start();
    const status = () => device.live!.statusLines()[0]!.split(' ').slice(3).join(' ');
    expect(status()).toBe('0 0');
    await device.message(0, ['MARK', 'x']);
    expect(status()).toBe('1 1');
    await write(device, 0, { count: 8 });
    expect(status()).toBe('1 1');
    await flush(device);
    expect(status()).toBe('3 11');
  });

  test('says when the log is full, which leaves its last sector free', async () => {
    const rig = new Rig({ log: { sizeSectors: 8 } });
    const device = await rig.start();
    const status = () => device.live!.statusLines()[0]!.split(' ').slice(3).join(' ');
    const events = device.eventNumber;
    for (let count = 0; count < 6; count += 1) await device.message(0, ['mark', `m${count}`]);
    expect(status()).toBe('6 6');
    await device.message(0, ['mark', 'm7']);
    expect(status()).toBe('6 7 logging_disabled');
    expect(device.eventNumber).toBe(events + 1);
    await device.message(0, ['mark', 'm8']);
    expect(await write(device, 1)).toBe(0);
    expect(await flush(device)).toBe(0);
    await rig.world.mapper.remove(device);
    expect((await rig.read()).entries).toHaveLength(6);
  });

  test.each<[string, TestDiskOptions, number]>([
    ['fails', {}, 5],
    ['has larger blocks', { limits: { logicalBlockBytes: 4096 } }, 0],
  ])('says when the log device %s; the disk goes on', async (_, log, errno) => {
    const rig = new Rig({ log });
    rig.log.failure = () => errno;
    const device = await rig.start();
    expect(await write(device, 1, { fua: true })).toBe(0);
    await new Promise(setImmediate);
    expect(device.live!.statusLines()).toEqual(['0 256 log-writes 1 2 logging_disabled']);
    expect(await write(device, 2)).toBe(0);
    expect(await flush(device)).toBe(0);
    expect(rig.disk.bytes[1024]).toBe(2);
    await rig.world.mapper.remove(device);
  });
});

describe('messages', () => {
  test.each([
    [['mark'], /Invalid log-writes message arguments, expect 2 arguments, got 1/],
    [['mark', 'a', 'b'], /Invalid log-writes message arguments, expect 2 arguments, got 3/],
    [['foo', 'bar'], /Unrecognised log writes target message received: foo/],
  ])('%s', async (words, error) => {
    const device = await new Rig().start();
    await expect(device.message(0, words)).rejects.toThrow(error);
  });
});

describe('a slow log device', () => {
  test('holds writes back in their turn, and reads go on', async () => {
    const rig = new Rig({ keptBytes: 4096 });
    const waiting: (() => void)[] = [];
    rig.log.answer = (finish) => waiting.push(finish);
    const device = await rig.start();
    const ended: number[] = [];
    const writes = Array.from({ length: 20 }, async (_, sector) => {
      await write(device, sector, { fua: true });
      ended.push(sector);
    });
    await new Promise(setImmediate);
    const before = ended.length;
    expect(before).toBeGreaterThan(2);
    expect(before).toBeLessThan(10);
    const data = new Uint8Array(512);
    expect(await submitBio(device, { op: Op.read, sector: 0, sectorCount: 1, data })).toBe(0);
    while (ended.length < 20) {
      for (const finish of waiting.splice(0)) finish();
      await new Promise(setImmediate);
    }
    await Promise.all(writes);
    rig.log.answer = (finish) => finish();
    for (const finish of waiting.splice(0)) finish();
    await rig.world.mapper.remove(device);
    expect(ended).toEqual([...ended].sort((a, b) => a - b));
    expect((await rig.read()).entries).toHaveLength(21);
  });

  test('that fails lets them go', async () => {
    const rig = new Rig({ keptBytes: 2048 });
    const waiting: (() => void)[] = [];
    rig.log.answer = (finish) => waiting.push(finish);
    const device = await rig.start();
    const writes = Array.from({ length: 20 }, (_, sector) => write(device, sector, { fua: true }));
    await new Promise(setImmediate);
    rig.log.failure = () => 5;
    for (const finish of waiting.splice(0)) finish();
    expect(await Promise.all(writes)).toEqual(new Array(20).fill(0));
    expect(device.live!.statusLines()[0]).toContain('logging_disabled');
  });

  test('without a flush: what waits for one is logged early, but not while one is under way', async () => {
    const rig = new Rig({ keptBytes: 2048 });
    const device = await rig.start();
    await write(device, 1);
    rig.held = [];
    const flushed = flush(device);
    const writes = [2, 3, 4, 5, 6].map((sector) => write(device, sector));
    const [endFlush] = rig.held.splice(0, 1);
    for (let end = rig.held.shift(); end; end = rig.held.shift()) end();
    await new Promise(setImmediate);
    expect(device.live!.statusLines()[0]).toContain('log-writes 0 0');
    endFlush!();
    for (const end of rig.held) end();
    rig.held = null;
    await Promise.all([flushed, ...writes]);
    await rig.world.mapper.remove(device);
    const { entries } = await rig.read();
    expect(entries.slice(0, 3)).toEqual(['W1+1', 'flush', 'W2+1']);
    expect(entries).toHaveLength(8);
  });
});
