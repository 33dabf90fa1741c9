import { Buffer } from 'node:buffer';
import { type Duplex, duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { Errno } from '../../base/errors.ts';
import { Command, NbdError } from '../../protocols/nbd/constants.ts';
import { NbdPeer } from '../../testing/nbd-peer.ts';
import { type TestDisk, type TestDiskOptions, TestDisks } from '../../testing/test-disk.ts';
import { type TestSessionOptions, testSession } from '../../testing/test-session.ts';
import { MemoryBudget } from './memory-budget.ts';
import { Transmission } from './transmission.ts';

const MIB = 2 ** 20;

interface Fixture {
  disk: TestDisk;
  peer: NbdPeer;
  stream: Duplex;
  transmission: Transmission;
  budget: MemoryBudget;
  /** How often the session was released. */
  released: () => number;
}

interface FixtureOptions extends TestSessionOptions {
  disk?: TestDiskOptions;
  budget?: MemoryBudget;
  maxRequestCount?: number;
  leftover?: Uint8Array;
}

function createBudget({ stallMs = 60_000, maxBytes = 64 * MIB } = {}): MemoryBudget {
  const [ownBytes, totalBytes] = [MIB, 64 * MIB];
  return new MemoryBudget({ ownBytes, maxBytes, totalBytes, stallMs, clock: systemClock });
}

function start(options: FixtureOptions = {}): Fixture {
  const disk = new TestDisks().add('A', { sizeSectors: 2048, ...options.disk });
  let releaseCount = 0;
  const onRelease = () => {
    releaseCount += 1;
  };
  const [stream, far] = duplexPair();
  const { budget = createBudget(), maxRequestCount = 64, leftover = Buffer.alloc(0) } = options;
  const session = testSession(disk, { replies: 'simple', ...options, onRelease });
  const transmission = new Transmission({
    stream,
    session,
    budget,
    maxRequestCount,
    lingerMs: 200,
  });
  transmission.start(leftover);
  const peer = new NbdPeer(far);
  return { disk, peer, stream, transmission, budget, released: () => releaseCount };
}

/** Nothing is left behind. */
async function expectEnd(made: Fixture, reason: string | RegExp | null): Promise<void> {
  const ended = await made.transmission.ended;
  if (reason === null || typeof reason === 'string') expect(ended).toBe(reason);
  else expect(ended).toMatch(reason);
  expect(made.released()).toBe(1);
  expect(made.transmission.outstandingCount).toBe(0);
  expect(made.disk.inFlightCount).toBe(0);
  expect(made.budget.pooledBytes).toBe(0);
}

describe('requests and replies', () => {
  test('what is written is read back, whatever the sizes', async () => {
    const { peer, disk } = start({ disk: { sizeSectors: 65536 } });
    const sizes = [512, 4096, 65536, 3 * MIB];
    for (const lengthBytes of sizes) {
      const data = Buffer.alloc(lengthBytes, lengthBytes / 512);
      peer.request({ command: Command.write, offsetBytes: 512 }, data);
      expect(await peer.reply()).toMatchObject({ error: 0 });
      peer.request({ offsetBytes: 512, lengthBytes });
      expect((await peer.reply(lengthBytes)).payload.equals(data)).toBe(true);
    }
    expect(disk.recorded.map(({ sectorCount }) => sectorCount * 512)).toEqual(
      sizes.flatMap((size) => [size, size]),
    );
  });

  test('replies come in the order of the disk, each with its cookie', async () => {
    const made = start();
    const waiting: (() => void)[] = [];
    made.disk.answer = (finish) => waiting.push(finish);
    for (const cookieLow of [1, 2, 3]) made.peer.request({ cookieLow, lengthBytes: 512 });
    await expect.poll(() => waiting.length).toBe(3);
    for (const index of [2, 0, 1]) waiting[index]!();
    const cookies = [];
    for (let count = 0; count < 3; count += 1) cookies.push((await made.peer.reply(512)).cookieLow);
    expect(cookies).toEqual([3, 1, 2]);
  });

  test('a refused write leaves the stream in step', async () => {
    const { peer } = start({ readOnly: true });
    peer.request({ command: Command.write, cookieLow: 1 }, Buffer.alloc(4096));
    peer.request({ cookieLow: 2, lengthBytes: 512 });
    expect(await peer.reply()).toMatchObject({ cookieLow: 1, error: NbdError.EPERM });
    expect(await peer.reply(512)).toMatchObject({ cookieLow: 2, error: 0 });
  });

  test('a write that is too large is refused and the connection goes on', async () => {
    const { peer } = start({ disk: { sizeSectors: 2 ** 30 } });
    peer.request({ command: Command.write, cookieLow: 1 }, Buffer.alloc(33 * MIB));
    peer.request({ cookieLow: 2, lengthBytes: 512 });
    expect(await peer.reply()).toMatchObject({ cookieLow: 1, error: NbdError.EINVAL });
    expect(await peer.reply(512)).toMatchObject({ cookieLow: 2, error: 0 });
  });

  test('what came with the handshake is the first request', async () => {
    const early = start();
    early.peer.request({ cookieLow: 7, lengthBytes: 512 });
    const leftover = await new Promise<Uint8Array>((resolve) => {
      early.stream.once('data', resolve);
    });
    const { peer } = start({ leftover });
    expect(await peer.reply(512)).toMatchObject({ cookieLow: 7, error: 0 });
  });
});

describe('limits', () => {
  test('no more requests are taken than allowed, and all of them in the end', async () => {
    const made = start({ maxRequestCount: 4 });
    const waiting: (() => void)[] = [];
    made.disk.answer = (finish) => waiting.push(finish);
    for (let count = 0; count < 100; count += 1) {
      made.peer.request({ cookieLow: count, lengthBytes: 512 });
    }
    await expect.poll(() => waiting.length).toBe(4);
    await new Promise(setImmediate);
    expect(made.disk.inFlightCount).toBe(4);
    made.disk.answer = (finish) => finish();
    for (const finish of waiting) finish();
    const seen = new Set<number>();
    for (let count = 0; count < 100; count += 1) seen.add((await made.peer.reply(512)).cookieLow);
    expect(seen.size).toBe(100);
  });

  test('a client that takes no replies holds a bounded amount of memory', async () => {
    const made = start({ budget: createBudget({ maxBytes: 4 * MIB }) });
    made.peer.stream.pause();
    for (let count = 0; count < 40; count += 1) {
      made.peer.request({ cookieLow: count, lengthBytes: MIB / 4 });
    }
    await expect.poll(() => made.disk.recorded.length).toBeGreaterThan(10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    // 16 of them fit, and one may be on its way out.
    expect(made.disk.recorded.length).toBeLessThanOrEqual(17);
    made.peer.stream.resume();
    for (let count = 0; count < 40; count += 1) await made.peer.reply(MIB / 4);
    expect(made.disk.recorded).toHaveLength(40);
  });

  test('a client that sleeps on shared memory is hung up on; small requests of others never wait', async () => {
    const budget = createBudget({ stallMs: 200 });
    const disk = { sizeSectors: 65536 };
    const hostile = start({ budget, disk });
    const header = { command: Command.write, lengthBytes: 32 * MIB };
    hostile.peer.request(header);
    hostile.peer.request(header);
    const greedy = start({ budget, disk });
    greedy.peer.request({ command: Command.write, lengthBytes: 32 * MIB });
    await expect.poll(() => budget.pooledBytes).toBeGreaterThan(60 * MIB);
    const other = start({ budget, disk });
    other.peer.request({ lengthBytes: 4096 });
    await other.peer.reply(4096);
    other.peer.request({ lengthBytes: 8 * MIB });
    await other.peer.reply(8 * MIB);
    await expectEnd(hostile, /too slow while others waited/);
    await expectEnd(greedy, /too slow while others waited/);
  });
});

test('a client that vanishes while it waits for memory lets the next one in at once', async () => {
  const budget = createBudget();
  const disk = { sizeSectors: 65536 };
  const holder = start({ budget, disk });
  const waiting: (() => void)[] = [];
  holder.disk.answer = (finish) => waiting.push(finish);
  for (let count = 0; count < 2; count += 1) holder.peer.request({ lengthBytes: 32 * MIB });
  await expect.poll(() => waiting.length).toBe(2);
  const leaver = start({ budget, disk });
  const slow: (() => void)[] = [];
  leaver.disk.answer = (finish) => slow.push(finish);
  leaver.peer.request({ lengthBytes: 512 });
  leaver.peer.request({ lengthBytes: 32 * MIB });
  await expect.poll(() => slow.length).toBe(1);
  const next = start({ budget, disk });
  next.peer.request({ lengthBytes: 16 * MIB });
  await new Promise(setImmediate);
  leaver.stream.destroy();
  for (const finish of waiting) finish();
  await next.peer.reply(16 * MIB);
  expect(leaver.released()).toBe(0);
  slow[0]!();
  await expectEnd(leaver, 'the client hung up');
});

describe('the end', () => {
  test('after a disconnect, requests under way are answered first', async () => {
    const made = start();
    const waiting: (() => void)[] = [];
    made.disk.answer = (finish) => waiting.push(finish);
    made.peer.request({ cookieLow: 1, lengthBytes: 512 });
    made.peer.request({ command: Command.disconnect });
    made.peer.request({ cookieLow: 2, lengthBytes: 512 });
    await expect.poll(() => waiting.length).toBe(1);
    waiting[0]!();
    expect((await made.peer.reply(512)).cookieLow).toBe(1);
    expect(await made.peer.hangUp()).toBe(0);
    made.peer.stream.end();
    await expectEnd(made, null);
    expect(made.disk.recorded).toHaveLength(1);
  });

  test('a client that shuts its side gets its replies', async () => {
    const made = start();
    made.peer.request({ lengthBytes: 512 });
    made.peer.stream.end();
    await made.peer.reply(512);
    expect(await made.peer.hangUp()).toBe(0);
    await expectEnd(made, null);
  });

  test('a client that does not hang up after its disconnect is hung up on', async () => {
    const made = start();
    made.peer.request({ command: Command.disconnect });
    await made.peer.hangUp();
    await expectEnd(made, null);
  });

  test('a client that vanishes leaves nothing behind, though the disk is slow', async () => {
    const made = start();
    const waiting: (() => void)[] = [];
    made.disk.answer = (finish) => waiting.push(finish);
    made.peer.request({ command: Command.write }, Buffer.alloc(512 * 1024, 7));
    made.peer.request({ lengthBytes: 512 });
    await expect.poll(() => waiting.length).toBe(2);
    made.peer.request({ command: Command.write, lengthBytes: 65536 });
    await new Promise(setImmediate);
    made.stream.destroy();
    await new Promise(setImmediate);
    expect(made.released()).toBe(0);
    for (const finish of waiting) finish();
    await expectEnd(made, 'the client hung up');
    expect(made.disk.bytes[1000]).toBe(7);
  });

  test('a stream that makes no sense ends the connection', async () => {
    const made = start();
    made.peer.write(Buffer.alloc(28));
    await expectEnd(made, /NBD request: magic at byte 0/);
  });

  test('going down, requests under way finish and the client is let go', async () => {
    const made = start();
    const waiting: (() => void)[] = [];
    made.disk.answer = (finish) => waiting.push(finish);
    made.peer.request({ cookieLow: 1, lengthBytes: 512 });
    await expect.poll(() => waiting.length).toBe(1);
    made.transmission.shutDown();
    made.peer.request({ cookieLow: 2, lengthBytes: 512 });
    expect(await made.peer.reply(512)).toMatchObject({ cookieLow: 2, error: NbdError.ESHUTDOWN });
    expect(made.transmission.underWay()).toMatchObject([{ command: 'read' }]);
    waiting[0]!();
    expect(await made.peer.reply(512)).toMatchObject({ cookieLow: 1, error: 0 });
    await made.peer.hangUp();
    await expectEnd(made, null);
  });

  test("a disk's error is the request's, not the connection's", async () => {
    const made = start();
    made.disk.failure = () => Errno.EIO;
    made.peer.request({ lengthBytes: 512 });
    expect(await made.peer.reply(512)).toMatchObject({ error: NbdError.EIO });
    made.disk.failure = () => 0;
    made.peer.request({ lengthBytes: 512 });
    expect(await made.peer.reply(512)).toMatchObject({ error: 0 });
  });
});
