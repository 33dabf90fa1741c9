import { beforeEach, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { Bio, Op } from '../core/bio.ts';
import type { FileCalls } from '../system/file-calls.ts';
import { CachedIo } from './cached-io.ts';
import { Transfer } from './transfer.ts';

/** Answers what it is told to and takes as long as it is told to. */
class ScriptedFiles {
  result = 512;
  tookMs = 0;
  callCount = 0;
  readonly #clock: { advanceTo(ms: number): void };

  constructor(clock: { advanceTo(ms: number): void }) {
    this.#clock = clock;
  }

  readVector = () => this.#answer();
  writeVector = () => this.#answer();

  #answer(): number {
    this.callCount += 1;
    this.#clock.advanceTo(this.tookMs);
    return this.result;
  }
}

let nowMs = 0;
let files: ScriptedFiles;
let cached: CachedIo;

beforeEach(() => {
  nowMs = 0;
  const clock = Object.assign(new SimulatedClock(), { nowMs: () => nowMs });
  files = new ScriptedFiles({
    advanceTo: (tookMs) => {
      nowMs += tookMs;
    },
  });
  cached = new CachedIo({ files: files as unknown as FileCalls, clock, inMemory: false });
});

function attempt(op: Op = Op.read, sectorCount = 1): number {
  const data = new Uint8Array(sectorCount * 512);
  return cached.attempt(3, new Transfer(Object.assign(new Bio(), { op, sectorCount, data })));
}

test('answers how much was done at once, and nothing for what would wait or fails', () => {
  expect(attempt()).toBe(512);
  for (const errno of [Errno.EAGAIN, Errno.EIO]) {
    files.result = -errno;
    expect(attempt()).toBe(0);
  }
  expect(files.callCount).toBe(3);
});

test('does not try again what the file system cannot, and still tries the rest', () => {
  files.result = -Errno.ENOTSUP;
  expect(attempt(Op.write)).toBe(0);
  files.result = 512;
  expect(attempt(Op.write)).toBe(0);
  expect(attempt(Op.read)).toBe(512);
  expect(files.callCount).toBe(2);
});

test('does not hold the thread with large copies', () => {
  attempt(Op.read, 2049);
  expect(files.callCount).toBe(0);
});

test('stops trying after a slow call, and for longer when the next is slow again', () => {
  files.tookMs = 2;
  attempt();
  expect(attempt()).toBe(0);
  nowMs += 9.9;
  expect(attempt()).toBe(0);
  nowMs += 0.2;
  expect(attempt()).toBe(512);
  nowMs += 19;
  expect(attempt()).toBe(0);
  nowMs += 2;
  files.tookMs = 0.1;
  expect(attempt()).toBe(512);
  expect(attempt()).toBe(512);
  expect(files.callCount).toBe(4);
});

test('slow calls take at most a sixth of the time', () => {
  files.tookMs = 200;
  for (let i = 0; i < 600; i += 1) {
    attempt();
    nowMs += 10;
  }
  expect(files.callCount * 200).toBeLessThan(nowMs / 6);
});
