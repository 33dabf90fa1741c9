/** Whatever bytes come over the control socket, in whatever pieces: whole requests are answered, the rest ends that client and nobody else. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { Prng } from '../../src/base/prng.ts';
import { IOCTL_BASE } from '../../src/control/protocol/commands.ts';
import { FrameReader } from '../../src/control/protocol/frame-reader.ts';
import { encodeRequest, replyShape } from '../../src/control/protocol/frames.ts';
import { ControlServer } from '../../src/control/server/server.ts';
import { withSeed } from '../../src/testing/seed.ts';

const ROUND_COUNT = 300;
const SETTLE_MS = 10_000;

let folder: string;
let server: ControlServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-frames-'));
  server = new ControlServer({
    connect: () => ({
      handle: ({ buffer }) => Promise.resolve({ errno: 0, buffer: buffer.slice(), reason: '' }),
      closed: () => undefined,
    }),
    limits: { stallMs: 2000 },
  });
  await server.listenUnix(join(folder, 'control'));
});

afterAll(async () => {
  await server.close({ timeoutMs: 1000 });
  rmSync(folder, { recursive: true, force: true });
});

function randomFrame(prng: Prng): Buffer {
  return Buffer.concat(
    encodeRequest({
      ioctl: prng.chance(0.8) ? IOCTL_BASE + prng.integer(0, 20) : prng.uint32(),
      wantsReason: prng.chance(0.5),
      directory: 'x'.repeat(prng.integer(0, 40)),
      buffer: prng.fill(new Uint8Array(prng.integer(0, 2000))),
    }),
  );
}

/** One to three frames; most of the time with bytes changed, missing or too many. */
function randomStream(prng: Prng): { bytes: Buffer; wholeCount: number | null } {
  const frames = Array.from({ length: prng.integer(1, 3) }, () => randomFrame(prng));
  const bytes = Buffer.concat(frames);
  if (prng.chance(0.3)) return { bytes, wholeCount: frames.length };
  if (prng.chance(0.2)) {
    return {
      bytes: Buffer.from(prng.fill(new Uint8Array(prng.integer(1, 300)))),
      wholeCount: null,
    };
  }
  if (prng.chance(0.3)) {
    return { bytes: bytes.subarray(0, prng.integer(0, bytes.length)), wholeCount: null };
  }
  for (let count = prng.integer(1, 4); count > 0; count -= 1) {
    bytes[prng.integer(0, Math.min(bytes.length, 32) - 1)] = prng.integer(0, 255);
  }
  return { bytes, wholeCount: null };
}

async function openClient(): Promise<{ socket: Socket; replyCount(): number }> {
  const socket = connect({ path: join(folder, 'control') });
  const reader = new FrameReader(replyShape);
  let count = 0;
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    for (let rest = chunk; rest.length > 0; ) {
      const { frame, takenBytes } = reader.read(rest); // throws for what is no reply
      rest = rest.subarray(takenBytes);
      if (frame) count += 1;
    }
  });
  await once(socket, 'connect');
  return { socket, replyCount: () => count };
}

/** In random pieces. */
async function send(prng: Prng, socket: Socket, bytes: Buffer): Promise<void> {
  for (let position = 0; position < bytes.length; ) {
    const length = prng.integer(1, bytes.length - position);
    socket.write(bytes.subarray(position, position + length));
    position += length;
    if (prng.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function until(condition: () => boolean): Promise<boolean> {
  const deadlineMs = systemClock.nowMs() + SETTLE_MS;
  while (!condition() && systemClock.nowMs() < deadlineMs) await sleep(systemClock, 2);
  return condition();
}

test('random and mutated frames', async () => {
  await withSeed(async (prng) => {
    const witness = await openClient();
    let askedCount = 0;
    for (let round = 0; round < ROUND_COUNT; round += 1) {
      const { bytes, wholeCount } = randomStream(prng);
      const { socket, replyCount } = await openClient();
      await send(prng, socket, bytes);
      if (wholeCount !== null) expect(await until(() => replyCount() === wholeCount)).toBe(true);
      if (prng.chance(0.5)) socket.destroy();
      else socket.end();
      witness.socket.write(randomFrame(prng));
      askedCount += 1;
      expect(await until(() => witness.replyCount() === askedCount)).toBe(true);
    }
    witness.socket.end();
    expect(await until(() => server.connectionCount === 0)).toBe(true);
  });
});
