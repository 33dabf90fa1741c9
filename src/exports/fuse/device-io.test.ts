import { expect, test } from 'vitest';
import { World } from '../../testing/world.ts';
import { DeviceIo } from './device-io.ts';

const ZEROES = '0 64 linear A 0';

async function createRig(options: { logicalBlockBytes?: number } = {}) {
  const limits = options.logicalBlockBytes ? { logicalBlockBytes: options.logicalBlockBytes } : {};
  const disks = { A: { sizeSectors: 64 }, B: { sizeSectors: 64, limits } };
  const world = new World({ disks });
  const device = await world.start('disk', ZEROES);
  /** What the disk was asked and has not done. */
  const waiting: (() => void)[] = [];
  const disk = world.disks.get('A');
  const pauses = { count: 0, now: 0 };
  const io = new DeviceIo(device, () => {
    pauses.count += 1;
    pauses.now += 1;
    return Promise.resolve(() => {
      pauses.now -= 1;
    });
  });
  return { world, device, io, disk, waiting, pauses };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const filled = (length: number, value: number) => new Uint8Array(length).fill(value);

test('a write of a part of a block undoes no write of the whole that comes meanwhile', async () => {
  const { io, disk, waiting } = await createRig();
  disk.answer = (finish) => waiting.push(finish);
  const part = io.write({ offsetBytes: 100, lengthBytes: 50 }, filled(50, 1), 0);
  await turn();
  const all = io.write({ offsetBytes: 0, lengthBytes: 1024 }, filled(1024, 2), 0);
  const zero = io.zero({ offsetBytes: 0, lengthBytes: 512 }, { keepAllocated: true });
  // Neither is in the way of one that lies elsewhere.
  const other = io.write({ offsetBytes: 2048, lengthBytes: 512 }, filled(512, 3), 0);
  for (let count = 0; count < 20; count += 1) {
    await turn();
    waiting.shift()?.();
  }
  expect(await Promise.all([part, all, zero, other])).toEqual([0, 0, 0, 0]);
  const expected = new Uint8Array(2560);
  expected.fill(2, 512, 1024).fill(3, 2048);
  expect(Buffer.compare(disk.bytes.subarray(0, 2560), expected)).toBe(0);
});

test('threads are kept away from the block meanwhile, and only then', async () => {
  const { io, disk, pauses } = await createRig();
  const seen: number[] = [];
  disk.answer = (finish) => {
    seen.push(pauses.now);
    finish();
  };
  await io.write({ offsetBytes: 0, lengthBytes: 512 }, filled(512, 1), 0);
  await io.write({ offsetBytes: 0, lengthBytes: 513 }, filled(513, 1), 0);
  disk.failure = () => 5;
  expect(await io.write({ offsetBytes: 1, lengthBytes: 1 }, filled(1, 1), 0)).toBe(5);
  expect(seen).toEqual([0, 1, 1, 1, 1]);
  expect(pauses).toEqual({ count: 2, now: 0 });
});

test('blocks have the size that they have when the write begins', async () => {
  const { world, device } = await createRig({ logicalBlockBytes: 4096 });
  let threadsRest!: () => void;
  const io = new DeviceIo(device, async () => {
    await new Promise<void>((resolve) => {
      threadsRest = resolve;
    });
    return () => {};
  });
  const write = io.write({ offsetBytes: 10, lengthBytes: 10 }, filled(10, 2), 0);
  await turn();
  await world.load(device, '0 64 linear B 0');
  await device.resume();
  threadsRest();
  expect(await write).toBe(0);
  const { bytes, recorded } = world.disks.get('B');
  expect(recorded.map(({ op, sectorCount }) => [op, sectorCount])).toEqual([
    ['read', 8],
    ['write', 8],
  ]);
  expect([...bytes.subarray(9, 21)]).toEqual([0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
});
