/**
 * Parameters that cost a wanted time on this machine, by the rules of cryptsetup-luksFormat(8): Argon2 gets as much memory as its
 * limit, then half of the machine's, then the time allows, and only then more iterations.
 */

import { availableParallelism } from 'node:os';
import { systemClock } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import { Secret } from '../secret.ts';
import { deriveKey, physicalMemoryBytes } from './derive-key.ts';
import {
  checkNewPbkdf,
  PBKDF_DEFAULTS,
  PBKDF_LIMITS,
  type Pbkdf,
  type PbkdfRequest,
} from './pbkdf.ts';

/** A run this long is measured well enough to multiply. */
const MIN_MEASURED_MS = 200;
/** Runs of that length. */
const MEASURED_RUNS = 3;
/** Growth between two runs, however short the first was. */
const MAX_GROWTH = 16;
const PBKDF2_FIRST_ITERATIONS = 10_000;
const PBKDF2_MAX_ITERATIONS = 2 ** 31 - 1;
const ARGON2_FIRST_MEMORY_KIB = 32 * 1024;
const ARGON2_MAX_ITERATIONS = 2 ** 32 - 1;
const MAX_ITER_TIME_MS = 3_600_000;
const SALT_BYTES = 32;

/** The machine, so that a test can be another one. */
export interface PbkdfMachine {
  processors: number;
  memoryKiB: number;
  measureMs(pbkdf: Pbkdf, keyBytes: number): Promise<number>;
}

const thisMachine = (): PbkdfMachine => ({
  processors: availableParallelism(),
  memoryKiB: Math.floor(physicalMemoryBytes() / 1024),
  measureMs,
});

async function measureMs(pbkdf: Pbkdf, keyBytes: number): Promise<number> {
  using passphrase = Secret.from(new TextEncoder().encode('benchmark'));
  const startMs = systemClock.nowMs();
  using _key = await deriveKey(pbkdf, passphrase, new Uint8Array(SALT_BYTES), keyBytes);
  return systemClock.nowMs() - startMs;
}

/**
 * What a new key slot gets for a request: measured, unless iterations are forced. Also how fast a hash is: the iterations for
 * 1000 ms are those per second.
 */
export async function benchmarkPbkdf(
  request: PbkdfRequest,
  keyBytes: number,
  machine: PbkdfMachine = thisMachine(),
): Promise<Pbkdf> {
  const { iterTimeMs = PBKDF_DEFAULTS.iterTimeMs, forceIterations } = request;
  if (!(iterTimeMs > 0 && iterTimeMs <= MAX_ITER_TIME_MS)) {
    throw new DmError(
      'EINVAL',
      `Cannot make a key slot: Requested PBKDF target time cannot be zero, expected at most ${MAX_ITER_TIME_MS} ms, got ${iterTimeMs}`,
    );
  }
  const pbkdf = smallest(request, machine);
  if (forceIterations !== undefined) pbkdf.iterations = forceIterations;
  checkNewPbkdf(pbkdf);
  if (forceIterations !== undefined) return pbkdf;
  if (pbkdf.name === 'pbkdf2') return fitPbkdf2(pbkdf, keyBytes, iterTimeMs, machine);
  return fitArgon2(pbkdf, keyBytes, iterTimeMs, machine);
}

/** The request with cryptsetup's defaults and the machine's limits, at the fewest iterations. */
function smallest(request: PbkdfRequest, machine: PbkdfMachine): Pbkdf {
  const name = request.name ?? PBKDF_DEFAULTS.name;
  const hash = request.hash ?? PBKDF_DEFAULTS.hash;
  if (name === 'pbkdf2') {
    return { name, hash, iterations: PBKDF_LIMITS.pbkdf2MinIterations, memoryKiB: 0, parallel: 0 };
  }
  const halfKiB = Math.floor(machine.memoryKiB / 2);
  const processors = Math.min(machine.processors, PBKDF_LIMITS.argon2MaxParallel);
  return {
    name,
    hash,
    iterations: PBKDF_LIMITS.argon2MinIterations,
    memoryKiB: Math.min(request.memoryKiB ?? PBKDF_DEFAULTS.memoryKiB, halfKiB),
    // As cryptsetup: fewer than were asked for, without a word.
    parallel: Math.min(request.parallel ?? PBKDF_DEFAULTS.parallel, processors),
  };
}

async function fitPbkdf2(
  limits: Pbkdf,
  keyBytes: number,
  iterTimeMs: number,
  machine: PbkdfMachine,
): Promise<Pbkdf> {
  const withWork = (iterations: number): Pbkdf => ({
    ...limits,
    iterations: clamp(Math.round(iterations), limits.iterations, PBKDF2_MAX_ITERATIONS),
  });
  const workPerMs = await measureRate(PBKDF2_FIRST_ITERATIONS, iterTimeMs, async (work) => {
    const tried = withWork(work);
    return { work: tried.iterations, ms: await machine.measureMs(tried, keyBytes) };
  });
  return withWork(workPerMs * iterTimeMs);
}

/** `limits` has the most memory and the fewest iterations there may be. */
async function fitArgon2(
  limits: Pbkdf,
  keyBytes: number,
  iterTimeMs: number,
  machine: PbkdfMachine,
): Promise<Pbkdf> {
  const firstWork = limits.iterations * Math.min(limits.memoryKiB, ARGON2_FIRST_MEMORY_KIB);
  const workPerMs = await measureRate(firstWork, iterTimeMs, async (work) => {
    const tried = shareOut(work, limits);
    const ms = await machine.measureMs(tried, keyBytes);
    return { work: tried.iterations * tried.memoryKiB, ms };
  });
  return shareOut(workPerMs * iterTimeMs, limits);
}

interface Run {
  work: number;
  ms: number;
}

/** The best of a few runs that were long enough: a machine that is busy for a moment must not make weak slots. */
async function measureRate(
  firstWork: number,
  iterTimeMs: number,
  run: (work: number) => Promise<Run>,
): Promise<number> {
  const enoughMs = Math.min(MIN_MEASURED_MS, iterTimeMs);
  let last = await run(firstWork);
  while (last.ms < enoughMs) {
    const next = await run(last.work * growth(last.ms));
    if (next.work <= last.work) break;
    last = next;
  }
  let workPerMs = last.work / last.ms;
  for (let again = 1; again < MEASURED_RUNS; again++) {
    const { work, ms } = await run(last.work);
    workPerMs = Math.max(workPerMs, work / ms);
  }
  return workPerMs;
}

/** Work is iterations times memory: memory first, up to its limit. */
function shareOut(work: number, limits: Pbkdf): Pbkdf {
  const minKiB = Math.min(
    Math.max(PBKDF_LIMITS.argon2MinMemoryKiB, 8 * limits.parallel),
    limits.memoryKiB,
  );
  const memoryKiB = clamp(Math.floor(work / limits.iterations), minKiB, limits.memoryKiB);
  const iterations = clamp(Math.floor(work / memoryKiB), limits.iterations, ARGON2_MAX_ITERATIONS);
  return { ...limits, memoryKiB, iterations };
}

/** How much more work makes a run that took `ms` long enough. */
function growth(ms: number): number {
  return clamp((1.2 * MIN_MEASURED_MS) / Math.max(ms, 0.001), 1.5, MAX_GROWTH);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
