import {
  existsSync,
  fstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Errno } from '../base/errors.ts';
import { BioFlag, Op } from '../core/bio.ts';
import { ExtentList } from '../core/extents.ts';
import { beginPlug, endPlug } from '../core/plug.ts';
import { loadSystem, type System } from '../system/index.ts';
import { runBio, startBio } from '../testing/device-io.ts';
import { describeDevice } from '../testing/device-laws.ts';
import { Descriptor } from './descriptor.ts';
import type { DescriptorDevice } from './descriptor-device.ts';
import { createFileDevice } from './file.ts';
import { nodePoolCalls, type PoolCalls } from './pool-calls.ts';

/** A disk's file system, and one in memory: they differ in nearly every call. */
const folders = [tmpdir(), ...(existsSync('/dev/shm') ? ['/dev/shm'] : [])].map((parent) =>
  mkdtempSync(join(parent, 'devmapper-file-')),
);
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

let fileCount = 0;

function createFile(
  options: { sizeBytes?: number; folder?: string; system?: System | null; calls?: PoolCalls } = {},
): { device: DescriptorDevice; path: string } {
  fileCount += 1;
  const path = join(options.folder ?? folders[0]!, `image ${fileCount}`);
  writeFileSync(path, '');
  truncateSync(path, options.sizeBytes ?? 1024 * 1024);
  const system = options.system === undefined ? loadSystem() : options.system;
  const device = createFileDevice({
    descriptor: new Descriptor({ path, readOnly: false, locks: null }),
    number: { major: 251, minor: 0 },
    clock: systemClock,
    system,
    ...(options.calls && { calls: options.calls }),
  });
  return { device, path };
}

/** The pool, but one call fails when asked to. */
function createFailingCalls(): { calls: PoolCalls; failNext(errno: number): void } {
  let next = 0;
  const failing =
    <T extends 'read' | 'write'>(name: T): PoolCalls[T] =>
    (fd, memory, length, positionBytes, done) => {
      const errno = next;
      next = 0;
      if (errno === 0) nodePoolCalls[name](fd, memory, length, positionBytes, done);
      else setImmediate(() => done(Object.assign(new Error('planted'), { errno: -errno }), 0));
    };
  return {
    calls: { ...nodePoolCalls, read: failing('read'), write: failing('write') },
    failNext: (errno) => {
      next = errno;
    },
  };
}

for (const folder of folders) {
  describeDevice(`a file in ${folder}`, {
    create: (sizeSectors) => createFile({ sizeBytes: sizeSectors * 512, folder }),
  });
  describeDevice(`a file in ${folder} without system calls of our own`, {
    create(sizeSectors) {
      const { calls, failNext } = createFailingCalls();
      const sizeBytes = sizeSectors * 512;
      return { ...createFile({ sizeBytes, folder, system: null, calls }), failNext };
    },
  });
}

const filled = (sectorCount: number, value: number) =>
  new Uint8Array(sectorCount * 512).fill(value);

describe('size', () => {
  test.each([
    [0, 0],
    [511, 0],
    [512, 1],
    [1535, 2],
  ])('a file of %i bytes has %i sectors', async (sizeBytes, sizeSectors) => {
    const { device } = createFile({ sizeBytes });
    expect(device.sizeSectors).toBe(sizeSectors);
    await device.close();
  });

  test('a file that shrank is an I/O error from there on, and only there', async () => {
    const { device, path } = createFile();
    await runBio(device, { op: Op.write, sector: 0, sectorCount: 8, data: filled(8, 1) });
    truncateSync(path, 4 * 512);
    beginPlug();
    const reads = [0, 2, 4, 6].map((sector) =>
      startBio(device, { op: Op.read, sector, sectorCount: 2, data: filled(2, 0) }),
    );
    endPlug();
    expect(await Promise.all(reads.map(({ ended }) => ended))).toEqual([0, 0, 5, 5]);
    const across = { op: Op.read, sector: 3, sectorCount: 2, data: filled(2, 0) } as const;
    expect(await runBio(device, across)).toBe(Errno.EIO);
    const status = { op: Op.blockStatus, sector: 0, sectorCount: 8 } as const;
    expect(await runBio(device, { ...status, extents: new ExtentList() })).toBe(0);
    await device.close();
  });
});

describe('a sparse file', () => {
  test('that shrank has no holes behind its end: reading fails there', async () => {
    for (const folder of folders) {
      const { device, path } = createFile({ folder, sizeBytes: 1024 * 1024 });
      truncateSync(path, 512 * 1024);
      const extents = new ExtentList();
      expect(await runBio(device, { op: Op.blockStatus, sectorCount: 2048, extents })).toBe(0);
      const behind = extents.normalized(2048).filter((extent) => extent.offsetSectors >= 1024);
      expect(behind.every(({ flags }) => flags === 0)).toBe(true);
      await device.close();
    }
  });

  const system = loadSystem();

  test('stays sparse under zeroes and discards, and reports its holes', async () => {
    for (const folder of folders) {
      const { device, path } = createFile({ folder });
      const blocks = () => statSync(path).blocks;
      await runBio(device, { op: Op.write, sector: 0, sectorCount: 256, data: filled(256, 1) });
      const full = blocks();
      await runBio(device, { op: Op.writeZeroes, sector: 64, sectorCount: 64 });
      const punched = blocks();
      await runBio(device, {
        op: Op.writeZeroes,
        sector: 0,
        sectorCount: 64,
        flags: BioFlag.noUnmap,
      });
      const extents = new ExtentList();
      await runBio(device, { op: Op.blockStatus, sector: 32, sectorCount: 2016, extents });
      if (system) {
        expect(full - punched).toBe(64);
        expect(blocks()).toBe(punched);
        expect(extents.normalized(2016).at(-1)).toEqual({
          offsetSectors: 224,
          lengthSectors: 1792,
          flags: 3,
        });
        expect(await runBio(device, { op: Op.discard, sector: 128, sectorCount: 128 })).toBe(0);
        expect(punched - blocks()).toBe(128);
      } else {
        expect(extents.normalized(2016)).toHaveLength(1);
        expect(device.limits.discardGranularityBytes).toBe(0);
      }
      await device.close();
    }
  });

  test('reports a bounded number of holes, and the rest as data', async () => {
    const { device } = createFile({ sizeBytes: 16 * 1024 * 1024 });
    const writes = Array.from({ length: 2048 }, (_, index) =>
      runBio(device, { op: Op.write, sector: index * 16, sectorCount: 8, data: filled(8, 1) }),
    );
    await Promise.all(writes);
    const extents = new ExtentList();
    await runBio(device, { op: Op.blockStatus, sector: 0, sectorCount: 32_768, extents });
    const count = extents.normalized(32_768).length;
    expect(count).toBe(system ? 1025 : 1);
    await device.close();
  });
});

test('zeroes that are written a part at a time are written whole', async () => {
  const calls: PoolCalls = {
    ...nodePoolCalls,
    write: (fd, memory, length, positionBytes, done) =>
      nodePoolCalls.write(fd, memory, Math.min(length, 700), positionBytes, done),
  };
  const { device, path } = createFile({ calls, system: null });
  writeFileSync(path, Buffer.alloc(8192, 1));
  expect(await runBio(device, { op: Op.writeZeroes, sector: 1, sectorCount: 8 })).toBe(0);
  const content = readFileSync(path);
  expect(content.indexOf(0)).toBe(512);
  expect(content.indexOf(1, 512)).toBe(9 * 512);
  await device.close();
});

describe('durability', () => {
  test('the last close makes durable what nobody can flush any more', async () => {
    let syncCount = 0;
    const syncData: PoolCalls['syncData'] = (fd, done) => {
      syncCount += 1;
      nodePoolCalls.syncData(fd, done);
    };
    const { device } = createFile({ calls: { ...nodePoolCalls, syncData } });
    await runBio(device, { op: Op.write, sectorCount: 1, data: filled(1, 1) });
    await device.close();
    expect(syncCount).toBe(1);
  });

  test('the last close of what nobody wrote asks the disk for nothing', async () => {
    let syncCount = 0;
    const syncData: PoolCalls['syncData'] = (fd, done) => {
      syncCount += 1;
      nodePoolCalls.syncData(fd, done);
    };
    const { device } = createFile({ calls: { ...nodePoolCalls, syncData } });
    await runBio(device, { op: Op.read, sectorCount: 1, data: filled(1, 0) });
    await device.close();
    expect(syncCount).toBe(0);
  });

  test('the last close makes durable what others may have written past the device', async () => {
    let syncCount = 0;
    const syncData: PoolCalls['syncData'] = (fd, done) => {
      syncCount += 1;
      nodePoolCalls.syncData(fd, done);
    };
    const { device } = createFile({ calls: { ...nodePoolCalls, syncData } });
    expect(device.direct).toMatchObject({ kind: 'file', writable: true });
    await device.close();
    expect(syncCount).toBe(1);
  });

  test('a failed fdatasync fails all flushes and FUA writes that come after it', async () => {
    let failures = 1;
    const calls: PoolCalls = {
      ...nodePoolCalls,
      syncData(fd, done) {
        failures -= 1;
        if (failures < 0) nodePoolCalls.syncData(fd, done);
        else setImmediate(() => done(Object.assign(new Error('planted'), { errno: -5 })));
      },
    };
    const { device } = createFile({ calls });
    const write = { op: Op.write, sectorCount: 1, data: filled(1, 1) } as const;
    expect(await runBio(device, write)).toBe(0);
    expect(await runBio(device, { op: Op.flush })).toBe(Errno.EIO);
    expect(await runBio(device, { op: Op.flush })).toBe(Errno.EIO);
    expect(await runBio(device, { ...write, flags: BioFlag.fua })).toBe(Errno.EIO);
    const zeroes = { op: Op.writeZeroes, sectorCount: 8, flags: BioFlag.fua } as const;
    expect(await runBio(device, zeroes)).toBe(Errno.EIO);
    expect(await runBio(device, write)).toBe(0);
    await device.close();
  });
});

describe('the pool', () => {
  test('a disk that never answers takes a few calls of it', async () => {
    const waiting: (() => void)[] = [];
    const stall: PoolCalls['read'] = (_fd, _memory, length, _position, done) =>
      waiting.push(() => done(null, length));
    const calls = { ...nodePoolCalls, read: stall };
    const { device } = createFile({ calls, system: null });
    const reads = Array.from({ length: 100 }, (_, sector) =>
      startBio(device, { op: Op.read, sector, sectorCount: 1, data: filled(1, 0) }),
    );
    for (let i = 0; i < 100; i += 1) {
      startBio(device, { op: Op.read, flags: BioFlag.prefetch, sectorCount: 8 });
    }
    await new Promise((resolve) => setImmediate(resolve));
    // Default pool of 4: one thread for reads, one for special operations.
    expect(waiting.length).toBeLessThanOrEqual(process.env['UV_THREADPOOL_SIZE'] ? 9 : 2);
    const state = { isClosed: false };
    void device.close().then(() => {
      state.isClosed = true;
    });
    while (!state.isClosed) {
      waiting.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reads.every(({ bio }) => bio.error === 0)).toBe(true);
  });
});

test('another thread may use the descriptor that `direct` names', async () => {
  const { device, path } = createFile();
  await runBio(device, { op: Op.write, sector: 1, sectorCount: 1, data: filled(1, 7) });
  expect(readFileSync(path).subarray(512, 1024)).toEqual(Buffer.alloc(512, 7));
  const { direct } = device;
  if (direct.kind !== 'file') throw new Error('a file is reached by its descriptor');
  expect(direct.writable).toBe(true);
  expect(fstatSync(direct.fd).ino).toBe(statSync(path).ino);
  await device.close();
});
