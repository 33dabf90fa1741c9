import { describe, expect, it } from 'vitest';
import { createPrng } from '../base/prng.ts';
import { CrashDisk, PowerFailure } from './crash-disk.ts';
import { MemoryByteDisk } from './memory-disk.ts';

const filled = (lengthBytes: number, byte: number) => new Uint8Array(lengthBytes).fill(byte);
/** The first byte of every sector. */
const sectorsOf = (bytes: Uint8Array) =>
  Array.from({ length: bytes.byteLength / 512 }, (_, index) => bytes[index * 512]);

describe('CrashDisk', () => {
  async function written(): Promise<CrashDisk> {
    const disk = new CrashDisk(new Uint8Array(2048));
    await disk.write(0, filled(1024, 1));
    await disk.flush();
    await disk.write(512, filled(1536, 2));
    return disk;
  }

  it('keeps what was flushed, whatever happens', async () => {
    const disk = await written();
    expect(sectorsOf(disk.imageAtCrash(3, () => false))).toEqual([1, 1, 0, 0]);
    expect(sectorsOf(disk.imageAtCrash(1, () => false))).toEqual([0, 0, 0, 0]);
    expect(sectorsOf(disk.imageAfter(3))).toEqual([1, 2, 2, 2]);
    expect(sectorsOf(disk.imageAfter(1))).toEqual([1, 1, 0, 0]);
  });

  it('loses sectors of what was not, each for itself', async () => {
    const disk = await written();
    const answers = [false, true, false];
    expect(sectorsOf(disk.imageAtCrash(3, () => answers.shift()!))).toEqual([1, 1, 2, 0]);
  });

  it('builds every kind of crash', async () => {
    const crashes = [...(await written()).crashes(createPrng(1), { lossCount: 1 })];
    const seen = crashes.map(({ name, bytes }) => `${name}: ${sectorsOf(bytes).join('')}`);
    expect(seen).toContain('before everything: 0000');
    expect(seen).toContain('write 1 of 3 (1024 bytes at 0), torn after 512 bytes: 1000');
    expect(seen).toContain('write 3 of 3 (1536 bytes at 512), torn after 1024 bytes: 1220');
    expect(seen).toContain('write 3 of 3 (1536 bytes at 512), unflushed lost: 1100');
    expect(crashes).toHaveLength(1 + 4 + 5);
  });

  it('fails from a step on', async () => {
    const disk = new CrashDisk(new Uint8Array(1024));
    disk.failAt(1);
    await disk.write(0, filled(512, 1));
    await expect(disk.write(512, filled(512, 2))).rejects.toThrow(PowerFailure);
    await expect(disk.read(0, 1)).rejects.toThrow(PowerFailure);
    await expect(disk.flush()).rejects.toThrow(PowerFailure);
    expect(sectorsOf(disk.bytes)).toEqual([1, 0]);
  });
});

describe('MemoryByteDisk', () => {
  it('reads copies, and nothing behind its end', async () => {
    const disk = new MemoryByteDisk(1024);
    (await disk.read(0, 4)).fill(9);
    expect(disk.bytes[0]).toBe(0);
    await expect(disk.read(1000, 25)).rejects.toMatchObject({ code: 'EIO' });
    await expect(disk.write(1000, filled(25, 1))).rejects.toMatchObject({ code: 'ENOSPC' });
    const readOnly = new MemoryByteDisk(1, { readOnly: true });
    await expect(readOnly.write(0, filled(1, 1))).rejects.toMatchObject({ code: 'EROFS' });
  });
});
