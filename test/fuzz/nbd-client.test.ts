/** Our NBD client against servers whose every byte may be wrong. */

import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { DmError } from '../../src/base/errors.ts';
import type { Prng } from '../../src/base/prng.ts';
import { SimulatedClock } from '../../src/base/simulated-clock.ts';
import { BioFlag, type Op } from '../../src/core/bio.ts';
import { ExtentList } from '../../src/core/extents.ts';
import { NbdDevice } from '../../src/devices/nbd/device.ts';
import { parseNbdUri } from '../../src/devices/nbd/uri.ts';
import type { Wire } from '../../src/devices/nbd/wire.ts';
import { TransmissionFlag } from '../../src/protocols/nbd/constants.ts';
import { type StartedBio, startBio } from '../../src/testing/device-io.ts';
import { ALL_FLAGS, FakeNbdServer } from '../../src/testing/fake-nbd-server.ts';
import { withSeed } from '../../src/testing/seed.ts';
import { pieces, spoil } from './nbd-streams.ts';

const ROUND_COUNT = 150;
const BIO_COUNT = 12;
const SIZE_SECTORS = 128;
const TIMEOUT_MS = 3000;

/** A wire on which what the server says may arrive spoilt, and always in other pieces than it was sent. */
class SpoiltWire implements Wire {
  onBytes: (bytes: Uint8Array) => void = () => {};
  onClose: (cause: Error | null) => void = () => {};
  readonly #inner: Wire;

  constructor(inner: Wire, prng: Prng, probability: number) {
    this.#inner = inner;
    inner.onBytes = (bytes) => {
      const arriving = prng.chance(probability) ? spoil(prng, Buffer.from(bytes)) : bytes;
      for (const piece of pieces(prng, Buffer.from(arriving))) this.onBytes(piece);
    };
    inner.onClose = (cause) => this.onClose(cause);
  }

  write(parts: readonly Uint8Array[], done: () => void): void {
    this.#inner.write(parts, done);
  }

  end(): void {
    this.#inner.end();
  }

  destroy(): void {
    this.#inner.destroy();
  }
}

function startRandomBio(device: NbdDevice, prng: Prng): StartedBio {
  const op = prng.integer(0, 5) as Op;
  const sector = prng.integer(0, SIZE_SECTORS - 1);
  const sectorCount = prng.integer(1, Math.min(40, SIZE_SECTORS - sector));
  const flags = prng.pick([0, 0, BioFlag.fua, BioFlag.noUnmap]);
  const data = new Uint8Array(sectorCount * 512);
  const extents = new ExtentList();
  const started = startBio(device, { op, sector, sectorCount, flags, data, extents });
  void started.ended.then(() => extents.normalized(sectorCount));
  return started;
}

/** A whole life: connect, bios, trouble, close. Answers how each bio ended, or null when there was no connecting. */
async function runRound(prng: Prng): Promise<number[] | null> {
  const clock = new SimulatedClock();
  const probability = prng.pick([0, 0.02, 0.1, 0.4]);
  const server = new FakeNbdServer({
    bytes: new Uint8Array(SIZE_SECTORS * 512),
    replies: prng.pick(['simple', 'structured', 'extended'] as const),
    flags: ALL_FLAGS | (prng.chance(0.5) ? TransmissionFlag.canMultiConn : 0),
    old: prng.chance(0.1),
    // Spoilt words may have told the client of another protocol than was agreed on.
    hangsUpOnNonsense: true,
  });
  const settled = NbdDevice.connect({
    uri: parseNbdUri('nbd://fake/disk'),
    clock,
    connect: async () => new SpoiltWire(await server.connect(), prng, probability),
    number: { major: 251, minor: 0 },
    readOnly: false,
    timeoutMs: TIMEOUT_MS,
  }).catch((error: unknown) => {
    if (!(error instanceof DmError)) throw error;
    return null;
  });
  for (let turn = 0; turn < 40; turn += 1) await clock.advance(0);
  await clock.advance(11_000);
  const device = await settled;
  if (!device) return expectRest(clock, null);
  const started = Array.from({ length: BIO_COUNT }, () => startRandomBio(device, prng));
  await clock.advance(prng.integer(0, 500));
  if (prng.chance(0.3)) server.kill();
  started.push(...Array.from({ length: BIO_COUNT }, () => startRandomBio(device, prng)));
  await clock.advance(20 * TIMEOUT_MS);
  expect(started.map(({ bio }) => bio.endCount)).toEqual(started.map(() => 1));
  const closing = device.close();
  await clock.advance(10 * TIMEOUT_MS);
  await closing;
  return expectRest(clock, await Promise.all(started.map(({ ended }) => ended)));
}

function expectRest<T>(clock: SimulatedClock, outcome: T): T {
  expect(clock.pendingCount).toBe(0);
  return outcome;
}

test('no bytes of a server make the client throw, hang, or leave anything behind', async () => {
  const unhandled: unknown[] = [];
  const record = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', record);
  const counts = { refused: 0, good: 0, failed: 0 };
  try {
    await withSeed(async (prng) => {
      for (let round = 0; round < ROUND_COUNT; round += 1) {
        const outcome = await runRound(prng);
        if (outcome === null) counts.refused += 1;
        for (const errno of outcome ?? []) counts[errno === 0 ? 'good' : 'failed'] += 1;
      }
    });
  } finally {
    process.off('unhandledRejection', record);
  }
  expect(unhandled).toEqual([]);
  // The streams are good enough that much works and bad enough that much does not, or they would test nothing.
  expect(counts.refused).toBeGreaterThan(ROUND_COUNT / 20);
  expect(counts.good).toBeGreaterThan(ROUND_COUNT);
  expect(counts.failed).toBeGreaterThan(ROUND_COUNT / 2);
}, 120_000);
