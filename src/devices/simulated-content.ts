/**
 * What is on a simulated disk: durable content under a volatile cache, and what a crash leaves of it.
 *
 * Invariants
 * - Reads see every write that ended, in the order they ended.
 * - A flush makes durable what ended before it was submitted, and promises nothing about anything else.
 * - A crash keeps all of what is durable, and of every other write nothing, all, or any of its sectors. A later write that
 *   is durable (FUA) is never undone by an earlier one that was not.
 */

import type { Prng } from '../base/prng.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';

/** What becomes of writes that are not durable when the power goes. */
export type CrashOutcome = 'lose-all' | 'keep-all' | 'random';

interface CachedWrite {
  sequence: number;
  startSectors: number;
  bytes: Uint8Array;
  durable: boolean;
}

export class SimulatedContent {
  /** As reads see it. */
  readonly current: Uint8Array;
  /** 1 for each sector that was written and not discarded since. */
  readonly allocated: Uint8Array;
  readonly #flushed: Uint8Array;
  #cached: CachedWrite[] = [];
  #sequence = 0;

  constructor(sizeSectors: number) {
    this.current = new Uint8Array(sectorsToBytes(sizeSectors));
    this.#flushed = new Uint8Array(sectorsToBytes(sizeSectors));
    this.allocated = new Uint8Array(sizeSectors);
  }

  /** Names all that was written so far, for `flushUpTo`. */
  get lastSequence(): number {
    return this.#sequence;
  }

  /** How many writes a crash could lose. */
  get volatileCount(): number {
    return this.#cached.filter((write) => !write.durable).length;
  }

  /** Takes the bytes over: the caller does not change them any more. */
  write(startSectors: number, bytes: Uint8Array, options: { durable: boolean }): void {
    this.current.set(bytes, sectorsToBytes(startSectors));
    this.#sequence += 1;
    const { durable } = options;
    this.#cached.push({ sequence: this.#sequence, startSectors, bytes, durable });
  }

  flushUpTo(sequence: number): void {
    for (const write of this.#cached) {
      if (write.sequence <= sequence) this.#flushed.set(write.bytes, startOf(write));
    }
    this.#cached = this.#cached.filter((write) => write.sequence > sequence);
  }

  /** `underWay`: writes that had not ended. Answers what happened, a line for each write that was not durable. */
  crash(
    outcome: CrashOutcome,
    prng: Prng,
    underWay: readonly { startSectors: number; bytes: Uint8Array }[],
  ): string[] {
    const report: string[] = [];
    const unordered = underWay.map((write) => ({ ...write, durable: false }));
    for (const write of [...this.#cached, ...shuffled(unordered, prng)]) {
      if (write.durable) this.#flushed.set(write.bytes, startOf(write));
      else report.push(this.#keepSome(write, outcome, prng));
    }
    this.#cached = [];
    this.current.set(this.#flushed);
    // A discard may have been undone, so any sector may hold data again.
    this.allocated.fill(1);
    return report;
  }

  #keepSome(
    write: { startSectors: number; bytes: Uint8Array },
    outcome: CrashOutcome,
    prng: Prng,
  ): string {
    const sectorCount = write.bytes.byteLength / SECTOR_BYTES;
    const isTorn = outcome === 'random' && prng.chance(1 / 3);
    const isKept = outcome === 'keep-all' || (outcome === 'random' && prng.chance(0.5));
    let kept = '';
    for (let sector = 0; sector < sectorCount; sector += 1) {
      const survives = isTorn ? prng.chance(0.5) : isKept;
      kept += survives ? '+' : '-';
      if (!survives) continue;
      const from = sectorsToBytes(sector);
      this.#flushed.set(write.bytes.subarray(from, from + SECTOR_BYTES), startOf(write) + from);
    }
    const what = isTorn ? `torn ${kept.slice(0, 64)}` : isKept ? 'kept' : 'lost';
    return `write ${write.startSectors}+${sectorCount} ${what}`;
  }
}

function startOf(write: { startSectors: number }): number {
  return sectorsToBytes(write.startSectors);
}

function shuffled<T>(items: T[], prng: Prng): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const other = prng.integer(0, i);
    [result[i], result[other]] = [result[other]!, result[i]!];
  }
  return result;
}
