import { describe, expect, test } from 'vitest';
import { MemoryByteDisk } from '../../testing/memory-disk.ts';
import { WriteLogFlag } from './layout.ts';
import { readWriteLog } from './read-write-log.ts';
import { WriteLog } from './write-log.ts';
import { WriteLogWriter } from './write-log-writer.ts';

const { flush, fua, discard, mark, metadata } = WriteLogFlag;

/** What a 7.2 kernel had on the log device: a mark, a write of 8 sectors, the mark at the end (which was cut from the dump). */
const KERNEL_SUPER = '7268737766736a0001000000000000000400000000000000000200000000000000';
const KERNEL_MARK =
  '0000000000000000000000000000000008000000000000000500000000000000' + '68656c6c6f';

function hex(bytes: Uint8Array, from: number, length: number): string {
  return Buffer.from(bytes.subarray(from, from + length)).toString('hex');
}

/** A write, a discard, a flush, a write with FUA, a mark. */
async function written(sectorBytes = 512): Promise<MemoryByteDisk> {
  const disk = new MemoryByteDisk(2 ** 20);
  const writer = new WriteLogWriter(disk, { sectorBytes });
  const data = new Uint8Array(4096).fill(7);
  await writer.append({ sector: 16, sectorCount: 8, flags: metadata }, data);
  await writer.append({ sector: 800, sectorCount: 1600, flags: discard });
  await writer.append({ sector: 0, sectorCount: 0, flags: flush });
  await writer.append({ sector: 8, sectorCount: 8, flags: fua }, data);
  await writer.finish('end');
  return disk;
}

function entriesOf(log: WriteLog) {
  return Array.from({ length: log.entryCount }, (_, entry) => [
    log.kind(entry),
    log.sector(entry),
    log.sectorCount(entry),
    log.flags(entry),
  ]);
}

describe('the bytes', () => {
  test("are the kernel's", async () => {
    const disk = new MemoryByteDisk(2 ** 16);
    const writer = new WriteLogWriter(disk, { sectorBytes: 512 });
    await writer.mark('hello');
    for (let count = 0; count < 2; count += 1) {
      await writer.append({ sector: 0, sectorCount: 0, flags: flush });
    }
    await writer.finish('dm-log-writes-end');
    expect(hex(disk.bytes, 0, 33)).toBe(KERNEL_SUPER);
    expect(hex(disk.bytes, 512, 37)).toBe(KERNEL_MARK);
  });

  test('are whole log sectors, whatever the size of one', async () => {
    const disk = await written(4096);
    const log = await readWriteLog(disk);
    expect(hex(disk.bytes, 4096, 16)).toBe('02000000000000000100000000000000');
    expect(log.sectorBytes).toBe(4096);
    expect(log.dataOffsetBytes(0)).toBe(8192);
    expect(log.entryOffsetBytes(1)).toBe(12288);
  });

  test('do not take what is no whole log sector', async () => {
    const writer = new WriteLogWriter(new MemoryByteDisk(2 ** 16), { sectorBytes: 4096 });
    const entry = { sector: 1, sectorCount: 0, flags: flush };
    await expect(writer.append(entry)).rejects.toThrow(/sector: expected a whole number/);
  });

  test('of a mark are cut off as the kernel does', async () => {
    const disk = new MemoryByteDisk(2 ** 16);
    await new WriteLogWriter(disk, { sectorBytes: 512 }).finish('x'.repeat(600));
    const log = await readWriteLog(disk);
    expect(log.mark(0)).toBe('x'.repeat(479));
  });
});

describe('reading', () => {
  test.each([512, 4096])('gives what was written, log sectors of %i', async (sectorBytes) => {
    const disk = await written(sectorBytes);
    const log = await readWriteLog(disk);
    expect(entriesOf(log)).toEqual([
      ['write', 16, 8, metadata],
      ['discard', 800, 1600, discard],
      ['flush', 0, 0, flush],
      ['write', 8, 8, fua],
      ['mark', 0, 0, mark],
    ]);
    expect(log.tear).toBeNull();
    expect(log.marks).toEqual([{ entry: 4, text: 'end' }]);
    expect(log.diskSectors).toBe(2400);
    const data = await disk.read(log.dataOffsetBytes(3), log.dataBytes(3));
    expect(data.every((byte) => byte === 7)).toBe(true);
    expect([1, 2, 4].map((entry) => log.dataBytes(entry))).toEqual([0, 0, 0]);
  });

  test('goes on over data larger than what it reads at once', async () => {
    const disk = new MemoryByteDisk(2 ** 23);
    const writer = new WriteLogWriter(disk, { sectorBytes: 512 });
    for (let count = 0; count < 5; count += 1) {
      const data = new Uint8Array(3 * 512 * 1000);
      await writer.append({ sector: count, sectorCount: 3000, flags: 0 }, data);
      await writer.append({ sector: 0, sectorCount: 0, flags: flush });
    }
    await writer.finish();
    const log = await readWriteLog(disk);
    expect(log.tear).toBeNull();
    expect(entriesOf(log).filter(([kind]) => kind === 'write')).toHaveLength(5);
  });

  test('keeps thousands of entries', async () => {
    const log = new WriteLog({ sectorBytes: 512, countedEntries: 0 });
    for (let entry = 0; entry < 5000; entry += 1) {
      log.add({ sector: entry, sectorCount: 1, flags: entry % 100 === 99 ? fua : 0 });
    }
    expect(log.sector(4999)).toBe(4999);
    expect(log.entryOffsetBytes(4999)).toBe(512 + 4999 * 1024);
    expect(log.findFlag(fua, 100)).toBe(199);
    expect(log.findFlag(flush)).toBe(-1);
    expect(log.volatileEntries(4999)).toHaveLength(4999 - 49);
  });

  test('stops where the count does, or goes on behind it', async () => {
    const disk = await written();
    disk.bytes[16] = 2;
    const short = await readWriteLog(disk);
    expect([short.entryCount, short.countedEntries, short.tear]).toEqual([2, 2, null]);
    const all = await readWriteLog(disk, { pastCount: true });
    expect([all.entryCount, all.countedEntries, all.tear]).toEqual([5, 2, null]);
  });
});

describe('what is no log', () => {
  test.each<[string, (bytes: Uint8Array) => void, RegExp]>([
    ['zeros', (bytes) => bytes.fill(0), /magic at byte 0: expected 0x7268737766736a00, got 0x0/],
    ['another version', (bytes) => bytes.fill(2, 8, 9), /version at byte 8: expected 1, got 2/],
    ['sectors of 0', (bytes) => bytes.fill(0, 24, 28), /sectorBytes at byte 24: .*, got 0$/],
    ['sectors of 768', (bytes) => bytes.fill(3, 25, 26), /power of two from 512 .*, got 768$/],
    ['sectors of 2 GiB', (bytes) => bytes.fill(128, 27, 28), /power of two/],
    ['more entries than numbers', (bytes) => bytes.fill(255, 16, 24), /at most 2\^53 - 1/],
  ])('%s', async (_, spoil, message) => {
    const disk = await written();
    spoil(disk.bytes);
    await expect(readWriteLog(disk)).rejects.toThrow(message);
  });

  test('a file too short for a super block', async () => {
    await expect(readWriteLog(new MemoryByteDisk(20))).rejects.toThrow(/expected 28 bytes, got 20/);
  });
});

describe('a tear', () => {
  const second = 512 + 512 + 4096;
  test.each<[string, number, (bytes: Uint8Array) => void, RegExp]>([
    ['zeros', 1, (bytes) => bytes.fill(0, second, second + 512), /nothing written/],
    ['an unknown flag', 1, (bytes) => bytes.fill(64, second + 16, second + 17), /at most 31/],
    ['a far sector', 1, (bytes) => bytes.fill(255, second, second + 8), /a range that ends by/],
    ['many sectors', 0, (bytes) => bytes.fill(255, 520, 525), /at most the \d+ bytes that follow/],
    ['data in an entry', 1, (bytes) => bytes.fill(1, second + 511, second + 512), /got 1/],
    ['a long mark', 4, (bytes) => bytes.fill(2, second + 5657, second + 5658), /for a mark/],
  ])('at %s', async (_, entryCount, spoil, message) => {
    const disk = await written();
    spoil(disk.bytes);
    const log = await readWriteLog(disk);
    expect(log.entryCount).toBe(entryCount);
    expect(log.tear?.offsetBytes).toBe(log.endOffsetBytes);
    expect(log.tear?.problem.message).toMatch(message);
  });

  test('at the end of a file that was cut off, inside data and between entries', async () => {
    const { bytes } = await written();
    const inside = await readWriteLog(new MemoryByteDisk(bytes.slice(0, second - 100)));
    expect([inside.entryCount, inside.tear?.offsetBytes]).toEqual([0, 512]);
    const between = await readWriteLog(new MemoryByteDisk(bytes.slice(0, second)));
    expect([between.entryCount, between.tear?.offsetBytes]).toEqual([1, second]);
    expect(between.tear?.problem.message).toMatch(/expected 512 bytes, got 0: the log ends there/);
  });
});

describe('durability', () => {
  /** W0 W1 flush2 W3 FUA4 W5 mark6 flush-with-data7 W8 */
  const log = new WriteLog({ sectorBytes: 512, countedEntries: 9 });
  for (const [index, flags] of [0, 0, flush, 0, fua, 0, mark, flush, 0].entries()) {
    const sectorCount = flags === mark || index === 2 ? 0 : 1;
    log.add({ sector: index, sectorCount, flags, ...(flags === mark && { mark: 'm' }) });
  }
  const durable = (point: number) =>
    Array.from({ length: point }, (_, entry) => entry).filter((entry) =>
      log.isDurable(entry, point),
    );

  test.each([
    [0, [], []],
    [2, [], [0, 1]],
    [3, [0, 1], []],
    [4, [0, 1], [3]],
    [6, [0, 1, 4], [3, 5]],
    [7, [0, 1, 4], [3, 5]],
    [8, [0, 1, 2, 3, 4, 5, 6], [7]],
    [9, [0, 1, 2, 3, 4, 5, 6], [7, 8]],
  ])('after %i entries', (point, certain, possible) => {
    expect(durable(point)).toEqual(certain);
    expect(log.volatileEntries(point)).toEqual(possible);
  });

  test('marks are found by their text', () => {
    expect([log.findMark('m'), log.findMark('m', 7), log.findMark('n')]).toEqual([6, -1, -1]);
  });
});

describe('a writer', () => {
  test('says when there is no room, and has written nothing of the entry', async () => {
    const disk = new MemoryByteDisk(2048);
    const writer = new WriteLogWriter(disk, { sectorBytes: 512 });
    await writer.append({ sector: 0, sectorCount: 1, flags: 0 }, new Uint8Array(512));
    const entry = { sector: 1, sectorCount: 1, flags: 0 };
    await expect(writer.append(entry, new Uint8Array(512))).rejects.toThrow(
      /ran out of space on the logdev/,
    );
    expect([writer.entryCount, writer.endBytes, disk.writeCount]).toEqual([1, 1536, 1]);
  });
});
