/** What the target does with data: on the main thread, in a worker's copy, with slow and broken disks, and while keys change. */

import { createCipheriv } from 'node:crypto';
import { expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { createPrng } from '../../base/prng.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { type Bio, BioFlag, Op } from '../../core/bio.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { plainMemory, type TargetMemory } from '../../core/target-memory.ts';
import { CountJournal } from '../../exports/data-plane/count-journal.ts';
import { FileRanges } from '../../exports/data-plane/file-ranges.ts';
import { buildPlan } from '../../exports/data-plane/plan.ts';
import { createReplica, type ReplicaOptions } from '../../exports/data-plane/replica.ts';
import { ReplicaMemory } from '../../exports/data-plane/replica-memory.ts';
import { readExtents, readSectors, submitBio } from '../../testing/submit.ts';
import type { TestDisk } from '../../testing/test-disk.ts';
import { World } from '../../testing/world.ts';

const SECTORS = 16_384;
const KEY = Buffer.from(createPrng(1).fill(new Uint8Array(64)));
const OTHER_KEY = Buffer.from(createPrng(2).fill(new Uint8Array(64)));
const line = (key: Buffer, rest = '') =>
  `0 ${SECTORS - 8} crypt aes-xts-plain64 ${key.toString('hex')} 5 A 8${rest}`;

async function start(table = line(KEY)) {
  const world = new World({ disks: { A: { sizeSectors: SECTORS } } });
  const device = await world.start('disk', table);
  return { world, device, disk: world.disks.get('A') };
}

/** As OpenSSL has it, sector by sector. */
function xts(key: Buffer, plain: Uint8Array, sector: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < plain.length; at += 512) {
    const iv = Buffer.alloc(16);
    iv.writeUInt32LE(sector + at / 512);
    pieces.push(createCipheriv('aes-256-xts', key, iv).update(plain.subarray(at, at + 512)));
  }
  return Buffer.concat(pieces);
}

/** `toEqual` takes seconds for so many bytes. */
function expectSame(got: Uint8Array, wanted: Uint8Array): void {
  expect([got.length, Buffer.compare(got, wanted)]).toEqual([wanted.length, 0]);
}

/** Until what was asked for has begun: a suspend holds requests back from then on. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function randomBytes(lengthBytes: number): Uint8Array {
  return createPrng(lengthBytes).fill(new Uint8Array(lengthBytes));
}

function write(device: MappedDevice, sector: number, data: Uint8Array, flags = 0) {
  return submitBio(device, { op: Op.write, sector, sectorCount: data.length / 512, data, flags });
}

/** What is on the disk at a sector of the mapped device. */
function stored(disk: TestDisk, sector: number, lengthBytes: number): Buffer {
  return Buffer.from(disk.bytes.subarray((sector + 8) * 512).subarray(0, lengthBytes));
}

test('what is on the disk is what OpenSSL would have put there, and the data of the sender stay', async () => {
  const { device, disk } = await start();
  const data = randomBytes(300 * 512);
  const before = data.slice();
  expect(await write(device, 77, data)).toBe(0);
  expectSame(data, before);
  expectSame(stored(disk, 77, data.length), xts(KEY, data, 77 + 5));
  expectSame(await readSectors(device, 77, 300), before);
});

test('large requests go piece by piece, with flags and one end', async () => {
  const { device, disk } = await start();
  const data = randomBytes(3000 * 512);
  disk.recorded = [];
  expect(await write(device, 100, data, BioFlag.fua)).toBe(0);
  expect(disk.recorded.length).toBeGreaterThan(10);
  expect(disk.recorded.every(({ flags }) => flags === BioFlag.fua)).toBe(true);
  expectSame(stored(disk, 100, data.length), xts(KEY, data, 105));
  expectSame(await readSectors(device, 100, 3000), data);
});

test('a slow disk has a bounded amount of ciphertext waiting, and all of it comes out right', async () => {
  const { device, disk } = await start();
  const waiting: (() => void)[] = [];
  disk.answer = (finish) => waiting.push(finish);
  const data = randomBytes(6000 * 512);
  const writes = [0, 6000].map((sector) => write(device, sector, data));
  expect(disk.inFlightCount).toBe(32);
  // Answered in any order.
  for (let next = waiting.pop(); next; next = waiting.length % 2 ? waiting.shift() : waiting.pop())
    next();
  expect(await Promise.all(writes)).toEqual([0, 0]);
  expectSame(stored(disk, 0, data.length), xts(KEY, data, 5));
  expectSame(stored(disk, 6000, data.length), xts(KEY, data, 6005));
});

test('errors of the disk reach the sender, and a failed read is not decrypted', async () => {
  const { device, disk } = await start();
  const data = randomBytes(1024 * 512);
  await write(device, 0, data);
  disk.failure = ({ sector }: Bio) => (sector >= 8 + 512 ? Errno.ENOSPC : 0);
  expect(await write(device, 0, data)).toBe(Errno.ENOSPC);
  const into = new Uint8Array(8 * 512).fill(7);
  const read = { op: Op.read, sector: 600, sectorCount: 8, data: into };
  expect(await submitBio(device, read)).toBe(Errno.ENOSPC);
  expect(into).toEqual(new Uint8Array(8 * 512).fill(7));
  disk.failure = () => 0;
  expectSame(await readSectors(device, 0, 1024), data);
});

test('zeroes are written as ciphertext, and holes below say nothing', async () => {
  const { device, disk } = await start();
  expect(await readExtents(device, 0, 100)).toEqual([
    { offsetSectors: 0, lengthSectors: 100, flags: 0 },
  ]);
  await write(device, 0, randomBytes(2000 * 512));
  const range = { op: Op.writeZeroes, sector: 10, sectorCount: 1500 };
  expect(await submitBio(device, { ...range, flags: BioFlag.fastZero })).toBe(Errno.ENOTSUP);
  expect(await submitBio(device, range)).toBe(0);
  const zeroes = new Uint8Array(1500 * 512);
  expectSame(await readSectors(device, 10, 1500), zeroes);
  expectSame(stored(disk, 10, zeroes.length), xts(KEY, zeroes, 15));
  expect(disk.recorded.map(({ op }) => op)).not.toContain('write-zeroes');
});

test('discards go through only if allowed', async () => {
  const { device, disk } = await start();
  const discard = { op: Op.discard, sector: 8, sectorCount: 5000 };
  expect(await submitBio(device, discard)).toBe(Errno.ENOTSUP);
  expect(disk.recorded).toEqual([]);
  const allowed = await start(line(KEY, ' 1 allow_discards'));
  expect(await submitBio(allowed.device, discard)).toBe(0);
  expect(allowed.disk.recorded).toEqual([
    { op: 'discard', sector: 16, sectorCount: 5000, flags: 0 },
  ]);
});

test('requests that are not whole sectors of the cipher fail', async () => {
  const { device } = await start(
    `0 1024 crypt aes-xts-plain64 ${KEY.toString('hex')} 0 A 0 1 sector_size:4096`,
  );
  expect(device.limits.logicalBlockBytes).toBe(4096);
  expect(await write(device, 8, randomBytes(4096))).toBe(0);
  expect(await write(device, 4, randomBytes(4096))).toBe(Errno.EIO);
  expect(await write(device, 8, randomBytes(512))).toBe(Errno.EIO);
});

test('a key that is set under load counts for what comes behind it, and a wiped one for nothing', async () => {
  const { device, disk } = await start();
  const data = randomBytes(64 * 512);
  const finishes: (() => void)[] = [];
  disk.answer = (finish) => finishes.push(finish);
  const early = write(device, 0, data);
  const suspended = device.suspend();
  await turn();
  const late = write(device, 64, data);
  await expect(device.message(0, ['key', 'wipe'])).rejects.toThrow(/not suspended/);
  disk.answer = (finish) => finish();
  for (const finish of finishes) finish();
  await suspended;
  expect(await early).toBe(0);
  await device.message(0, ['key', 'wipe']);
  await expect(device.resume()).rejects.toMatchObject({ code: 'EAGAIN' });
  expect(device.live!.tableLines()[0]).toContain('0'.repeat(128));
  await device.message(0, ['key', 'set', OTHER_KEY.toString('hex')]);
  await device.resume();
  expect(await late).toBe(0);
  expectSame(stored(disk, 0, data.length), xts(KEY, data, 5));
  expectSame(stored(disk, 64, data.length), xts(OTHER_KEY, data, 69));
});

test('tables are swapped under load, each with its key', async () => {
  const { world, device, disk } = await start();
  const data = randomBytes(128 * 512);
  const finishes: (() => void)[] = [];
  disk.answer = (finish) => finishes.push(finish);
  const writes = [write(device, 0, data)];
  await world.load(device, line(OTHER_KEY));
  const swap = device.resume();
  await turn();
  writes.push(write(device, 128, data));
  disk.answer = (finish) => finish();
  for (const finish of finishes) finish();
  await swap;
  expect(await Promise.all(writes)).toEqual([0, 0]);
  expectSame(stored(disk, 0, data.length), xts(KEY, data, 5));
  expectSame(stored(disk, 128, data.length), xts(OTHER_KEY, data, 133));
});

test('no row, plan or error holds the key as text', async () => {
  const { world, device } = await start();
  const { plan } = buildPlan(device);
  const texts = [
    JSON.stringify(plan),
    device.live!.rows[0]!.params,
    device.live!.rows[0]!.target.table(),
  ];
  for (const text of texts) expect(text).not.toContain(KEY.toString('hex').slice(8, 40));
  expect(plan.devices[0]!.rows[0]!.params).toBe('aes-xts-plain64 :raw:0 5 A 8');
  const refused = world.load(device, line(KEY, ' 1 nosuch'));
  await expect(refused).rejects.not.toThrow(KEY.toString('hex').slice(0, 16));
});

test('a key where the cipher should be is not quoted', async () => {
  const { world, device } = await start();
  const hex = KEY.toString('hex');
  const refused = world.load(device, `0 64 crypt ${hex} aes-xts-plain64 0 A 0`);
  await expect(refused).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.not.stringContaining(hex.slice(0, 16)),
  });
});

async function copyOf(
  device: MappedDevice,
  bytes: SharedArrayBuffer,
  memory: TargetMemory = plainMemory,
) {
  const { plan } = buildPlan(device);
  for (const leaf of plan.leaves) leaf.direct = { kind: 'memory', bytes };
  const ranges = new FileRanges();
  const options: ReplicaOptions = {
    clock: new SimulatedClock(),
    files: {} as ReplicaOptions['files'],
    nowMs: () => 0,
    buffers: [],
    ranges,
    deferral: { disk: null },
    journal: new CountJournal(),
    memory,
  };
  return { replica: await createReplica(plan, options), ranges };
}

test('a copy in another thread does the same, byte for byte, and leaves the key to its owner', async () => {
  const { device, disk } = await start();
  const memory = new SharedArrayBuffer(SECTORS * 512);
  const { replica, ranges } = await copyOf(device, memory);
  const data = randomBytes(3000 * 512);
  await write(device, 100, data);
  expect(await write(replica.device, 100, data)).toBe(0);
  expect(Buffer.compare(new Uint8Array(memory), disk.bytes)).toBe(0);
  expectSame(await readSectors(replica.device, 100, 3000), data);
  // Who asks where the data lie must not be led to the ciphertext.
  ranges.begin();
  const locate = { op: Op.read, sector: 0, sectorCount: 8 };
  expect(await submitBio(replica.device, locate)).not.toBe(0);
  ranges.end();
  expect(ranges.totalBytes).toBe(0);
  await replica.close();
  expect(device.live!.tableLines()[0]).toContain(KEY.toString('hex'));
});

test('closing overwrites the key for all threads', async () => {
  const { world, device } = await start();
  const [shared] = buildPlan(device).plan.devices[0]!.rows[0]!.secrets!;
  expect(Buffer.from(shared!)).toEqual(KEY);
  await world.mapper.remove(device);
  expect(Buffer.from(shared!)).toEqual(Buffer.alloc(64));
});

test('a key of the keyring is taken once, and the table names it', async () => {
  const { world, device } = await start();
  world.mapper.keyring.add('test:key', OTHER_KEY);
  const table = `0 64 crypt aes-xts-plain64 :64:logon:test:key 0 A 0`;
  await world.load(device, table);
  await device.resume();
  world.mapper.keyring.wipe();
  expect(device.live!.tableLines()).toEqual([table]);
  const data = randomBytes(512);
  await write(device, 0, data);
  expect(Buffer.from(world.disks.get('A').bytes.subarray(0, 512))).toEqual(xts(OTHER_KEY, data, 0));
  await expect(world.load(device, table)).rejects.toMatchObject({ code: 'ENOKEY' });
});

test('cipher_null takes no key and changes nothing', async () => {
  const text = '0 64 crypt cipher_null-ecb - 0 A 8';
  const { device, disk } = await start(text);
  const data = randomBytes(64 * 512);
  await write(device, 0, data);
  expectSame(stored(disk, 0, data.length), Buffer.from(data));
  expect(device.live!.tableLines()).toEqual([text]);
  await device.suspend();
  await expect(device.message(0, ['key', 'set', '00'])).rejects.toThrow(/0 bytes, got 1/);
  await device.message(0, ['key', 'wipe']);
  await expect(device.resume()).rejects.toMatchObject({ code: 'EAGAIN' });
  await device.message(0, ['key', 'set', '-']);
  await device.resume();
  expectSame(await readSectors(device, 0, 64), data);
});

/** Of two crypt devices, one on the other. */
async function startStack() {
  const { world, device, disk } = await start();
  const key = OTHER_KEY.toString('hex');
  const upper = await world.start(
    'top',
    `0 8192 crypt aes-xts-plain64 ${key} 0 ${device.operand} 0`,
  );
  const stacked = (data: Uint8Array, sector: number) =>
    xts(KEY, xts(OTHER_KEY, data, sector), sector + 5);
  return { upper, disk, stacked };
}

test('crypt on crypt: a slow disk holds up both, and neither waits for the other for ever', async () => {
  const { upper, disk, stacked } = await startStack();
  const waiting: (() => void)[] = [];
  disk.answer = (finish) => waiting.push(finish);
  const data = randomBytes(4096 * 512);
  const writes = [0, 4096].map((sector) => write(upper, sector, data));
  const reads = readSectors(upper, 0, 8);
  for (let next = waiting.pop(); next; next = waiting.length % 2 ? waiting.shift() : waiting.pop())
    next();
  expect(await Promise.all(writes)).toEqual([0, 0]);
  await reads;
  disk.answer = (finish) => finish();
  expectSame(stored(disk, 0, data.length), stacked(data, 0));
  expectSame(stored(disk, 4096, data.length), stacked(data, 4096));
  expectSame(await readSectors(upper, 4096, 4096), data);
  const range = { op: Op.writeZeroes, sector: 1000, sectorCount: 3000 };
  expect(await submitBio(upper, range)).toBe(0);
  const zeroes = new Uint8Array(3000 * 512);
  expectSame(stored(disk, 1000, zeroes.length), stacked(zeroes, 1000));
});

test('crypt on crypt in a worker, whose memory is small', async () => {
  const { upper, disk, stacked } = await startStack();
  const memory = new SharedArrayBuffer(SECTORS * 512);
  const { replica } = await copyOf(upper, memory, new ReplicaMemory([]));
  const data = randomBytes(5000 * 512);
  expect(await write(replica.device, 11, data)).toBe(0);
  expectSame(new Uint8Array(memory, 19 * 512, data.length), stacked(data, 11));
  expectSame(await readSectors(replica.device, 11, 5000), data);
  await write(upper, 11, data);
  expect(Buffer.compare(new Uint8Array(memory), disk.bytes)).toBe(0);
  await replica.close();
});

test('thousands of writes that wait are started by the first that ends, however fast the disk is by then', async () => {
  const { device, disk } = await start();
  const waiting: (() => void)[] = [];
  disk.answer = (finish) => waiting.push(finish);
  const data = randomBytes(512);
  const writes = Array.from({ length: 8000 }, (_, sector) => write(device, sector, data));
  disk.answer = (finish) => finish();
  for (const finish of waiting) finish();
  expect((await Promise.all(writes)).every((error) => error === 0)).toBe(true);
  for (const sector of [0, 31, 32, 33, 7999]) {
    expectSame(stored(disk, sector, 512), xts(KEY, data, sector + 5));
  }
});
