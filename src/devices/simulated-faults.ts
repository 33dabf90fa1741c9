/** How long a simulated disk takes and when it fails. */

import type { Prng } from '../base/prng.ts';
import { type Bio, Op } from '../core/bio.ts';

/** Milliseconds for one bio. */
export type Latency = (prng: Prng, bio: Bio) => number;

export function constantLatency(ms: number): Latency {
  return () => ms;
}

export function uniformLatency(minMs: number, maxMs: number): Latency {
  return (prng) => minMs + prng.float() * (maxMs - minMs);
}

/** Mostly short, sometimes many times the mean, as queues at a disk make it. */
export function exponentialLatency(meanMs: number): Latency {
  return (prng) => -Math.log(1 - prng.float()) * meanMs;
}

/** `usual`, but one in so many takes as `rare` says. */
export function mixedLatency(usual: Latency, rare: Latency, rareProbability: number): Latency {
  return (prng, bio) => (prng.chance(rareProbability) ? rare : usual)(prng, bio);
}

export type FaultEffect =
  /** The bio fails and changes nothing. */
  | { kind: 'error'; errno: number }
  /** Under way until `SimulatedDisk.unstall`. */
  | { kind: 'stall' }
  /** A write or flush that answers success and does nothing. */
  | { kind: 'lose' };

/** Meets bios for which everything that is said is true. */
export interface Fault {
  effect: FaultEffect;
  op?: Op;
  /** Bios that touch [startSectors, startSectors + lengthSectors). */
  startSectors?: number;
  lengthSectors?: number;
  /** Only the nth of those, counted from 1. */
  nth?: number;
  /** Of those that are left, so many. */
  probability?: number;
}

export class FaultPlan {
  readonly #faults: { fault: Fault; seenCount: number }[] = [];
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** Returns the function that removes it. */
  add(fault: Fault): () => void {
    const entry = { fault, seenCount: 0 };
    this.#faults.push(entry);
    return () => {
      const index = this.#faults.indexOf(entry);
      if (index >= 0) this.#faults.splice(index, 1);
    };
  }

  /** The effect of the first fault that meets the bio. */
  effectOn(bio: Bio): FaultEffect | null {
    for (const entry of this.#faults) {
      const { fault } = entry;
      if (!concerns(fault, bio)) continue;
      entry.seenCount += 1;
      if (fault.nth !== undefined && fault.nth !== entry.seenCount) continue;
      if (fault.probability !== undefined && !this.#prng.chance(fault.probability)) continue;
      return fault.effect;
    }
    return null;
  }
}

function concerns(fault: Fault, bio: Bio): boolean {
  if (fault.op !== undefined && fault.op !== bio.op) return false;
  const hasRange = fault.startSectors !== undefined || fault.lengthSectors !== undefined;
  if (!hasRange) return true;
  if (bio.op === Op.flush) return false;
  const start = fault.startSectors ?? 0;
  const end = start + (fault.lengthSectors ?? Number.POSITIVE_INFINITY);
  return bio.sector < end && bio.sector + bio.sectorCount > start;
}
