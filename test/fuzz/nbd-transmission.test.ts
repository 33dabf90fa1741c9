import { Buffer } from 'node:buffer';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Prng } from '../../src/base/prng.ts';
import { sectorsToBytes } from '../../src/base/units.ts';
import { MemoryBudget } from '../../src/exports/nbd/memory-budget.ts';
import { Transmission } from '../../src/exports/nbd/transmission.ts';
import { createReply, decodeReply, replyHeaderBytes } from '../../src/protocols/nbd/reply.ts';
import { inTime } from '../../src/testing/device-io.ts';
import { withSeed } from '../../src/testing/seed.ts';
import { type TestDisk, TestDisks } from '../../src/testing/test-disk.ts';
import { testSession } from '../../src/testing/test-session.ts';
import { garbage, pieces, randomRequest, spoil } from './nbd-streams.ts';

const ROUND_COUNT = 250;
const SIZE_SECTORS = 256;
const MIB = 2 ** 20;

test('no bytes make a transmission throw, hang, or leave anything behind', async () => {
  const reasons = new Map<string, number>();
  let replyCount = 0;
  await withSeed(async (prng) => {
    for (let round = 0; round < ROUND_COUNT; round += 1) {
      const { reason, received, chunked } = await runRound(prng);
      const kind = reason === null ? 'orderly' : reason.split(':')[0]!;
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
      if (chunked) replyCount += countReplies(received);
    }
  });
  // The streams are good enough that many requests are answered and some connections broken, or they would test nothing.
  expect(replyCount).toBeGreaterThan(ROUND_COUNT);
  expect(reasons.get('orderly') ?? 0).toBeGreaterThan(ROUND_COUNT / 10);
  expect(reasons.get('Cannot read NBD request') ?? 0).toBeGreaterThan(ROUND_COUNT / 50);
});

async function runRound(prng: Prng) {
  const replies = prng.pick(['simple', 'structured', 'extended'] as const);
  const disk = moodyDisk(prng);
  const budget = new MemoryBudget({
    ownBytes: MIB,
    maxBytes: 40 * MIB,
    totalBytes: 64 * MIB,
    stallMs: 60_000,
    clock: systemClock,
  });
  let releaseCount = 0;
  const session = testSession(disk, {
    replies,
    onRelease: () => {
      releaseCount += 1;
    },
  });
  const [stream, far] = duplexPair();
  const transmission = new Transmission({
    stream,
    session,
    budget,
    maxRequestCount: 8,
    lingerMs: 50,
  });
  transmission.start(new Uint8Array(0));
  const received: Uint8Array[] = [];
  far.on('data', (chunk: Uint8Array) => received.push(chunk));
  for (const piece of pieces(prng, randomStream(prng, replies === 'extended'))) far.write(piece);
  if (prng.chance(0.1)) stream.destroy();
  else far.end();
  const reason = await inTime(transmission.ended, 'the transmission did not end');
  expect(releaseCount).toBe(1);
  expect(disk.inFlightCount).toBe(0);
  expect(transmission.outstandingCount).toBe(0);
  expect(budget.pooledBytes).toBe(0);
  return { reason, received: Buffer.concat(received), chunked: replies !== 'simple' };
}

function randomStream(prng: Prng, extendedHeaders: boolean): Buffer {
  if (prng.chance(0.05)) return garbage(prng, 4000);
  const mix = { extendedHeaders, sizeBytes: sectorsToBytes(SIZE_SECTORS) };
  const count = prng.integer(0, 30);
  const requests = Array.from({ length: count }, () => randomRequest(prng, mix));
  const bytes = Buffer.concat(requests);
  return prng.chance(0.5) ? bytes : spoil(prng, bytes);
}

/** A disk that answers at once, later, or with an error. It also checks that nothing wrong reaches it. */
function moodyDisk(prng: Prng): TestDisk {
  const disk = new TestDisks().add('A', { sizeSectors: SIZE_SECTORS });
  disk.answer = (finish) => (prng.chance(0.5) ? finish() : setImmediate(finish));
  disk.failure = () => (prng.chance(0.05) ? 5 : 0);
  return disk;
}

/** What came is whole chunks, to the last byte, unless the connection broke in between. */
function countReplies(received: Buffer): number {
  const reply = createReply();
  let count = 0;
  for (let at = 0; at + 4 <= received.length; count += 1) {
    if (at + replyHeaderBytes(received, at) > received.length) break;
    at += decodeReply(received, at, reply) + reply.payloadBytes;
  }
  return count;
}
