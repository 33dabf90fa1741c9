import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { loadSystem } from '../system/index.ts';
import { bestSectorOf, openFileDisk } from './byte-disk.ts';
import { Descriptor } from './descriptor.ts';
import { lockHeader } from './header-lock.ts';

describe('openFileDisk', () => {
  let folder = '';
  let path = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'devmapper-disk-'));
    path = join(folder, 'image');
    writeFileSync(path, new Uint8Array(4096).fill(7));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('reads and writes bytes at any offset', async () => {
    await using disk = await openFileDisk(path, { readOnly: false });
    expect(disk).toMatchObject({ name: path, sizeBytes: 4096, sectorBytes: 512, readOnly: false });
    await disk.write(4093, new Uint8Array([1, 2, 3]));
    await disk.flush();
    expect([...(await disk.read(4092, 4))]).toEqual([7, 1, 2, 3]);
    expect([...readFileSync(path).subarray(-4)]).toEqual([7, 1, 2, 3]);
  });

  it('stays inside, and says so', async () => {
    await using disk = await openFileDisk(path, { readOnly: false });
    await expect(disk.read(4090, 7)).rejects.toMatchObject({ code: 'EIO' });
    await expect(disk.write(4090, new Uint8Array(7))).rejects.toMatchObject({ code: 'ENOSPC' });
    truncateSync(path, 100);
    await expect(disk.read(50, 100)).rejects.toThrow(`Cannot read "${path}": it ends early`);
  });

  it('does not write what it opened read-only', async () => {
    await using disk = await openFileDisk(path, { readOnly: true });
    await expect(disk.write(0, new Uint8Array(1))).rejects.toMatchObject({ code: 'EROFS' });
    await disk.flush();
  });

  it('opens files only', async () => {
    const missing = openFileDisk(join(folder, 'none'), { readOnly: true });
    await expect(missing).rejects.toMatchObject({ code: 'ENOENT' });
    const directory = openFileDisk(folder, { readOnly: true });
    await expect(directory).rejects.toMatchObject({ code: 'ENOTBLK' });
  });

  it('knows which encryption sectors suit it', async () => {
    await using disk = await openFileDisk(path, { readOnly: true });
    expect(disk.bestSectorBytes).toBe(4096);
    expect([bestSectorOf(512, 512), bestSectorOf(4096, 4096)]).toEqual([512, 4096]);
    expect(bestSectorOf(512, 4096)).toBe(4096);
    // A stripe is no sector; nor is what the medium does not know, or gets wrong.
    expect([65536, 0, -25, 1000].map((physical) => bestSectorOf(512, physical))).toEqual([
      512, 512, 512, 512,
    ]);
  });

  const system = loadSystem();
  it('lets header writers in one by one, beside the holder of the image', async () => {
    if (!system) return; // nothing locks without system calls of our own
    const mapped = new Descriptor({ path, readOnly: false, locks: system.locks });
    await expect(openFileDisk(path, { readOnly: false, lock: 'image' })).rejects.toMatchObject({
      code: 'EBUSY',
    });
    await (await openFileDisk(path, { readOnly: false })).close();
    await mapped.close();
    await (await openFileDisk(path, { readOnly: false, lock: 'image' })).close();
    await using header = await openFileDisk(path, { readOnly: true });
    await using another = await openFileDisk(path, { readOnly: true });
    expect(another.sizeBytes).toBe(header.sizeBytes);
    await using free = await openFileDisk(path, { readOnly: false, lock: 'none' });
    const waits = { fd: 0, path, exclusive: true, clock: systemClock, waitMs: 60 };
    expect(free.sizeBytes).toBe(4096);
    const fd = openSync(path, 'r+');
    await expect(lockHeader(system.locks, { ...waits, fd })).rejects.toThrow(
      `Cannot lock the header of "${path}": another program is changing it`,
    );
    const wait = lockHeader(system.locks, { ...waits, fd, waitMs: 5000 });
    await header.close();
    await another.close();
    (await wait).release();
    closeSync(fd);
  });
});
