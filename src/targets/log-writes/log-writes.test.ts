import { describe, expect, test } from 'vitest';
import { Op } from '../../core/bio.ts';
import { readWriteLog } from '../../formats/write-log/read-write-log.ts';
import { DISK_SECTORS, END, flush, Rig, shown, write } from '../../testing/log-writes-rig.ts';
import { MemoryByteDisk } from '../../testing/memory-disk.ts';
import { submitBio } from '../../testing/submit.ts';
import type { TestDiskOptions } from '../../testing/test-disk.ts';

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
    expect(rig.reports).toEqual([
      't: log-writes: Ran out of space on the logdev: entry 6 ends at sector 8 of 8, the last of which stays free; L takes no more, the disk goes on without a log',
    ]);
    await device.message(0, ['mark', 'm8']);
    expect(await write(device, 1)).toBe(0);
    expect(await flush(device)).toBe(0);
    await rig.world.mapper.remove(device);
    expect((await rig.read()).entries).toHaveLength(6);
  });

  test.each<[string, TestDiskOptions, number, string]>([
    ['fails', {}, 5, 'EIO'],
    [
      'has larger blocks',
      { limits: { logicalBlockBytes: 4096 } },
      0,
      "its blocks have 4096 bytes, the log's sectors 512",
    ],
  ])('says when the log device %s; the disk goes on', async (_, log, errno, reason) => {
    const rig = new Rig({ log });
    rig.log.failure = () => errno;
    const device = await rig.start();
    expect(await write(device, 1, { fua: true })).toBe(0);
    await new Promise(setImmediate);
    expect(device.live!.statusLines()).toEqual(['0 256 log-writes 1 2 logging_disabled']);
    expect(rig.reports).toEqual([
      `t: log-writes: Error writing log block: ${reason}; L takes no more, the disk goes on without a log`,
    ]);
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
