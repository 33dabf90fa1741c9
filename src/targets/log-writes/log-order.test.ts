import { describe, expect, test } from 'vitest';
import { BioFlag, Op } from '../../core/bio.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import { DISK_SECTORS, END, flush, Rig, write } from '../../testing/log-writes-rig.ts';
import { withSeed } from '../../testing/seed.ts';
import { submitBio } from '../../testing/submit.ts';

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

  test('has flushes in the order in which they ended, each with all that ended before it was sent', async () => {
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
    expect((await rig.read()).entries).toEqual(['FUA9+1', 'W1+1', 'W2+1', 'flush', 'flush', END]);
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

describe('replayed', () => {
  test('has nothing older behind a write with FUA', async () => {
    const rig = new Rig();
    const device = await rig.start();
    await write(device, 8, { count: 8, fill: 1 });
    await write(device, 40, { fill: 1 });
    await submitBio(device, { op: Op.discard, sector: 32, sectorCount: 8 });
    await write(device, 10, { count: 2, fill: 2, fua: true });
    await write(device, 32, { count: 4, fill: 3, fua: true });
    await write(device, 40, { fill: 4, fua: true });
    await rig.world.mapper.remove(device);
    const { entries, log } = await rig.read();
    expect(entries).toEqual(['FUA10+2', 'FUA32+4', 'FUA40+1', 'W8+2', 'W12+4', 'D36+4', END]);
    expect(rig.log.bytes[log.dataOffsetBytes(4)]).toBe(1);
  });

  test('is the disk, whatever ends in whatever order; and a flush covers what ended before it was sent', async () => {
    await withSeed(async (prng) => {
      const rig = new Rig({ log: { sizeSectors: 2 ** 14 }, keptBytes: 2 ** 15 });
      const device = await rig.start();
      const ends = new Map<number, number>();
      /** When they reached the disk, in the order in which they ended. */
      const flushes: number[] = [];
      let time = 0;
      const held: (() => void)[] = [];
      rig.disk.answer = (finish, { op, data, dataOffset }) => {
        const sent = time++;
        held.push(() => {
          if (op === Op.flush) flushes.push(sent);
          else ends.set(data[dataOffset]!, time++);
          finish();
        });
      };
      const all: Promise<unknown>[] = [];
      for (let id = 1; id < 250; id += 1) {
        const sector = prng.integer(0, 60);
        const count = prng.integer(1, 4);
        if (prng.chance(0.1)) {
          all.push(flush(device));
        } else {
          const fua = prng.chance(0.2);
          all.push(write(device, sector, { count, fua, fill: id }));
        }
        while (held.length > prng.integer(0, 6)) {
          held.splice(prng.integer(0, held.length - 1), 1)[0]!();
          await new Promise(setImmediate);
        }
      }
      for (; held.length > 0; await new Promise(setImmediate)) held.shift()!();
      rig.disk.answer = (finish) => finish();
      await Promise.all(all);
      await rig.world.mapper.remove(device);
      const { log } = await rig.read();
      const disk = new Uint8Array(DISK_SECTORS * 512);
      /** Since the flush before, which covers the others. */
      const written: number[] = [];
      let flushCount = 0;
      for (let entry = 0; entry < log.entryCount; entry += 1) {
        if (log.kind(entry) === 'flush') {
          const sent = flushes[flushCount]!;
          expect(written.every((id) => ends.get(id)! < sent)).toBe(true);
          flushCount += 1;
          written.length = 0;
        }
        const at = log.dataOffsetBytes(entry);
        const data = rig.log.bytes.subarray(at, at + log.dataBytes(entry));
        disk.set(data, log.sector(entry) * 512);
        if (log.kind(entry) === 'write' && !(log.flags(entry) & WriteLogFlag.fua)) {
          written.push(data[0]!);
        }
      }
      expect(flushCount).toBe(flushes.length);
      expect(Buffer.compare(disk, rig.disk.bytes)).toBe(0);
    });
  });
});
