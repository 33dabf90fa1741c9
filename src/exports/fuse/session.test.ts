import { expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { createPrng } from '../../base/prng.ts';
import { Opcode, REPLY_HEADER_BYTES } from '../../protocols/fuse/constants.ts';
import { World } from '../../testing/world.ts';
import { directoryOperations } from './directory-operations.ts';
import { fileOperations } from './file-operations.ts';
import { NodeTable } from './nodes.ts';
import { OpenFiles } from './open-files.ts';
import { FuseSession } from './session.ts';

function createRig() {
  const world = new World({ disks: { A: { sizeSectors: 64 } } });
  const reports: string[] = [];
  const nodes = new NodeTable({ mapper: world.mapper, uid: 0, gid: 0, timeSeconds: 0 });
  const events: string[] = [];
  const files = new OpenFiles(world.mapper, {
    busy: ({ name }) => events.push(`busy ${name}`),
    closed: ({ name }) => events.push(`closed ${name}`),
    pause: () => Promise.resolve(() => {}),
    settle: () => Promise.resolve(),
  });
  const operations = { ...directoryOperations(nodes), ...fileOperations(nodes, files) };
  const session = new FuseSession(operations, {
    report: (message) => reports.push(message),
    openFailed: (handle) => files.release(handle),
  });
  return { world, session, files, events, reports };
}

/** A request: `u32` fields as numbers, `u64` as bigints, text with its NUL, or bytes. */
function encode(
  opcode: number,
  nodeId: number,
  ...fields: (number | bigint | string | Uint8Array)[]
): Uint8Array {
  const parts = fields.map((field) => {
    if (typeof field === 'string') return Buffer.from(`${field}\0`);
    if (typeof field === 'object') return Buffer.from(field);
    const part = Buffer.alloc(typeof field === 'number' ? 4 : 8);
    if (typeof field === 'number') part.writeUInt32LE(field);
    else part.writeBigUInt64LE(field);
    return part;
  });
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(40);
  header.writeUInt32LE(40 + body.length, 0);
  header.writeUInt32LE(opcode, 4);
  header.writeBigUInt64LE(77n, 8);
  header.writeBigUInt64LE(BigInt(nodeId), 16);
  return Uint8Array.from(Buffer.concat([header, body]));
}

/** The reply's errno and what follows its header; null when there is none. */
function ask(session: FuseSession, request: Uint8Array, isTaken = true) {
  return new Promise<{ errno: number; body: Buffer } | null>((resolve) => {
    session.execute(request, (reply) => {
      if (reply === null) {
        resolve(null);
        return true;
      }
      const bytes = Buffer.from(reply);
      expect(bytes.readUInt32LE(0)).toBe(bytes.length);
      expect(bytes.readBigUInt64LE(8)).toBe(77n);
      resolve({ errno: 0 - bytes.readInt32LE(4), body: bytes.subarray(REPLY_HEADER_BYTES) });
      return isTaken;
    });
  });
}

async function lookUp(session: FuseSession, name: string): Promise<number> {
  const reply = await ask(session, encode(Opcode.lookup, 1, name));
  return reply?.errno === 0 ? Number(reply.body.readBigUInt64LE(0)) : 0;
}

test('agrees with the kernel on a version, and refuses what is too old', async () => {
  const { session } = createRig();
  const hello = (major: number, minor: number) =>
    encode(Opcode.init, 0, major, minor, 65536, 0xffffffff, 0xffffffff, new Uint8Array(44));
  const minorOf = async (major: number, minor: number) => {
    const reply = await ask(session, hello(major, minor));
    return reply?.errno === 0 ? reply.body.readUInt32LE(4) : reply?.errno;
  };
  expect(await minorOf(7, 45)).toBe(36);
  expect(await minorOf(7, 31)).toBe(31);
  expect(await minorOf(8, 0)).toBe(0);
  expect(await minorOf(7, 27)).toBe(Errno.EPROTO);
});

test('opens, writes, reads and closes; a device that is busy is told of', async () => {
  const { world, session, files, events, reports } = createRig();
  const device = await world.start('disk', '0 64 linear A 0');
  const node = await lookUp(session, 'disk');
  const opened = await ask(session, encode(Opcode.open, node, 2, 0));
  const handle = opened!.body.readBigUInt64LE(0);
  expect(device.openCount).toBe(1);
  const data = new Uint8Array(700).fill(5);
  for (let round = 0; round < 8; round += 1) {
    const write = encode(Opcode.write, node, handle, 100n, 700, 0, 0n, 2, 0, data);
    expect((await ask(session, write))?.body.readUInt32LE(0)).toBe(700);
  }
  expect(events).toEqual(['busy disk']);
  const read = await ask(session, encode(Opcode.read, node, handle, 99n, 702, 0, 0n, 2, 0));
  expect([read!.body.length, read!.body[0], read!.body[1], read!.body[701]]).toEqual([
    702, 0, 5, 0,
  ]);
  await ask(session, encode(Opcode.release, node, handle, 2, 0, 0n));
  expect(device.openCount).toBe(0);
  expect(events).toEqual(['busy disk', 'closed disk']);
  const late = await ask(session, encode(Opcode.read, node, handle, 0n, 512, 0, 0n, 0, 0));
  expect([late?.errno, files.count, reports]).toEqual([Errno.EBADF, 0, []]);
});

test('closes what nobody heard was opened', async () => {
  const { world, session, files, reports } = createRig();
  const device = await world.start('disk', '0 64 linear A 0');
  const node = await lookUp(session, 'disk');
  const open = (flags: number) => encode(Opcode.open, node, flags, 0);
  await ask(session, open(0o1000002), false);
  await session.drained();
  expect([device.openCount, files.count]).toEqual([0, 0]);
  // The claim went with it, and a refusal leaves nothing to close.
  expect((await ask(session, open(0o1000002)))?.errno).toBe(0);
  expect((await ask(session, open(0o1000002), false))?.errno).toBe(Errno.EBUSY);
  await session.drained();
  expect([device.openCount, files.count, reports]).toEqual([1, 1, []]);
});

test('gives a device to one claimant, and keeps tables off it meanwhile', async () => {
  const { world, session } = createRig();
  const device = await world.start('disk', '0 8 zero');
  const node = await lookUp(session, 'disk');
  const claim = () => ask(session, encode(Opcode.open, node, 0o1000002, 0));
  const first = await claim();
  expect((await claim())?.errno).toBe(Errno.EBUSY);
  expect(device.openCount).toBe(1);
  const above = world.mapper.create({ name: 'above' });
  const load = () => world.load(above, '0 8 linear mapper/disk 0');
  await expect(load()).rejects.toMatchObject({ code: 'EBUSY' });
  await ask(session, encode(Opcode.release, node, first!.body.readBigUInt64LE(0), 2, 0, 0n));
  await load();
  expect((await claim())?.errno).toBe(Errno.EBUSY);
  await above.clear();
  expect((await claim())?.errno).toBe(0);
});

test('follows devices that are renamed and removed', async () => {
  const { world, session } = createRig();
  const device = await world.start('disk', '0 8 zero');
  const node = await lookUp(session, 'disk');
  world.mapper.rename(device, 'other');
  expect([await lookUp(session, 'disk'), await lookUp(session, 'other')]).toEqual([0, node]);
  const hidden = `.node-${device.number.minor}-1-2-`;
  expect(await lookUp(session, hidden.padEnd(160, '.'))).toBe(node + 1);
  expect(await lookUp(session, hidden.padEnd(159, '.'))).toBe(0);
  expect(await lookUp(session, hidden.padEnd(160, 'x'))).toBe(0);
});

test('a device is found by its hidden name from its first table on', async () => {
  const { world, session } = createRig();
  const device = world.mapper.create({ name: 'disk' });
  const hidden = `.node-${device.number.minor}-1-2-`.padEnd(160, '.');
  expect(await lookUp(session, hidden)).toBe(0);
  await world.load(device, '0 8 zero');
  expect(await lookUp(session, hidden)).not.toBe(0);
});

test('refuses what it does not know, and complains of what is no request', async () => {
  const { session, reports } = createRig();
  expect((await ask(session, encode(4000, 1)))?.errno).toBe(Errno.ENOSYS);
  expect((await ask(session, encode(Opcode.mkdir, 1, 0, 0, 'x')))?.errno).toBe(Errno.EPERM);
  expect(await ask(session, encode(Opcode.forget, 2, 1n))).toBeNull();
  expect(await ask(session, encode(Opcode.interrupt, 0, 77n))).toBeNull();
  expect((await ask(session, encode(Opcode.fallocate, 2)))?.errno).toBe(Errno.EINVAL);
  expect(await ask(session, new Uint8Array(39))).toBeNull();
  expect(reports.length).toBe(2);
});

test('answers every opcode exactly once, whatever follows the header', async () => {
  const { world, session, reports } = createRig();
  await world.start('disk', '0 64 linear A 0');
  const prng = createPrng(3);
  const node = await lookUp(session, 'disk');
  await ask(session, encode(Opcode.open, node, 2, 0));
  let replies = 0;
  for (let round = 0; round < 600; round += 1) {
    const opcode = round % 60;
    // The start of some bodies is sound, so that what follows is looked at: handle 1, small numbers.
    const numbers = [1n, BigInt(prng.integer(0, 39999)), BigInt(prng.integer(0, 39999))];
    const tail = prng.fill(new Uint8Array(prng.integer(0, 89)));
    const isSound = prng.integer(0, 1) === 0;
    const request = encode(
      opcode,
      [0, 1, node][prng.integer(0, 2)]!,
      ...(isSound ? numbers : []),
      tail,
    );
    session.execute(request, () => {
      replies += 1;
      return true;
    });
  }
  await session.drained();
  expect(replies).toBe(600);
  // Nothing but what the bytes themselves are to blame for.
  expect(reports.filter((text) => !text.startsWith('Cannot read FUSE request'))).toEqual([]);
});
