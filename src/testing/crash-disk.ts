/**
 * A disk that loses power: it records writes and flushes, and builds what may be on it had the power failed at any point.
 *
 * What a disk promises, and no more: what was written before a flush that ended is there. Of what was written since, any sectors may be
 * there and others not, in whatever order they were written; a sector is whole.
 *
 *   const disk = new CrashDisk(image);
 *   await volume(disk).addKey(...);
 *   for (const crash of disk.crashes(prng)) expect(await opens(new MemoryByteDisk(crash.bytes)), crash.name).toBe(true);
 */

import type { Prng } from '../base/prng.ts';
import type { ByteDisk } from '../core/byte-disk.ts';
import { MemoryByteDisk, type MemoryDiskOptions } from './memory-disk.ts';

export type DiskStep =
  | { readonly kind: 'write'; readonly offsetBytes: number; readonly bytes: Uint8Array }
  | { readonly kind: 'flush' };

export interface Crash {
  /** For the message of a test that fails. */
  readonly name: string;
  /** How many steps had begun; the last write may be torn or missing. */
  readonly stepCount: number;
  readonly bytes: Uint8Array;
}

/** What `CrashDisk.failAt` throws. */
export class PowerFailure extends Error {
  override readonly name = 'PowerFailure';
}

export class CrashDisk implements ByteDisk {
  readonly #before: Uint8Array;
  readonly #now: MemoryByteDisk;
  readonly #steps: DiskStep[] = [];
  #failAt = Number.POSITIVE_INFINITY;

  /** The content is copied. */
  constructor(content: Uint8Array, options: MemoryDiskOptions = {}) {
    this.#before = new Uint8Array(content);
    this.#now = new MemoryByteDisk(new Uint8Array(content), { name: 'crash', ...options });
  }

  get name(): string {
    return this.#now.name;
  }

  get sizeBytes(): number {
    return this.#now.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#now.readOnly;
  }

  get sectorBytes(): number {
    return this.#now.sectorBytes;
  }

  /** What reads see: everything written so far. */
  get bytes(): Uint8Array {
    return this.#now.bytes;
  }

  get steps(): readonly DiskStep[] {
    return this.#steps;
  }

  /** From that step on (0: the first) nothing works any more; for loops that kill and resume. */
  failAt(step: number): void {
    this.#failAt = step;
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    if (this.#steps.length > this.#failAt) throw new PowerFailure('the power failed');
    return this.#now.read(offsetBytes, lengthBytes);
  }

  async write(offsetBytes: number, bytes: Uint8Array): Promise<void> {
    const step: DiskStep = { kind: 'write', offsetBytes, bytes: new Uint8Array(bytes) };
    this.#begin(step);
    await this.#now.write(offsetBytes, bytes);
  }

  async flush(): Promise<void> {
    this.#begin({ kind: 'flush' });
    await this.#now.flush();
  }

  #begin(step: DiskStep): void {
    const failed = this.#steps.length >= this.#failAt;
    this.#steps.push(step);
    if (failed) throw new PowerFailure('the power failed');
  }

  /** The disk after `stepCount` steps, all of them whole. */
  imageAfter(stepCount: number): Uint8Array {
    return this.#build(stepCount, () => true);
  }

  /**
   * After `stepCount` steps: everything flushed is there; of the sectors written since, those that `survives` says, asked in the order of writing.
   */
  imageAtCrash(stepCount: number, survives: () => boolean): Uint8Array {
    return this.#build(stepCount, survives);
  }

  /**
   * What may be on the disk, for every step: all of it, none of what was not flushed, the last write torn after each sector (at most
   * `tearCount` places), and `lossCount` times any subset of the unflushed sectors.
   */
  *crashes(prng: Prng, { tearCount = 4, lossCount = 2 } = {}): Generator<Crash> {
    yield { name: 'before everything', stepCount: 0, bytes: this.imageAfter(0) };
    for (let stepCount = 1; stepCount <= this.#steps.length; stepCount += 1) {
      const step = this.#steps[stepCount - 1]!;
      if (step.kind === 'flush') continue;
      const at = `write ${stepCount} of ${this.#steps.length} (${step.bytes.byteLength} bytes at ${step.offsetBytes})`;
      yield { name: `${at}, all there`, stepCount, bytes: this.imageAfter(stepCount) };
      const none = this.imageAtCrash(stepCount, () => false);
      yield { name: `${at}, unflushed lost`, stepCount, bytes: none };
      for (const keptBytes of this.#tears(step, prng, tearCount)) {
        const bytes = this.imageAfter(stepCount - 1);
        bytes.set(step.bytes.subarray(0, keptBytes), step.offsetBytes);
        yield { name: `${at}, torn after ${keptBytes} bytes`, stepCount, bytes };
      }
      for (let round = 0; round < lossCount; round += 1) {
        const bytes = this.imageAtCrash(stepCount, () => prng.chance(0.5));
        yield { name: `${at}, some sectors lost`, stepCount, bytes };
      }
    }
  }

  #tears(step: DiskStep & { kind: 'write' }, prng: Prng, tearCount: number): number[] {
    const { offsetBytes, bytes } = step;
    const pieces = [...sectorsOf(offsetBytes, bytes.byteLength, this.sectorBytes)];
    const places = pieces.slice(1).map(([from]) => from);
    while (places.length > tearCount) places.splice(prng.integer(0, places.length - 1), 1);
    return places;
  }

  #build(stepCount: number, survives: () => boolean): Uint8Array {
    const image = this.#before.slice();
    const steps = this.#steps.slice(0, stepCount);
    const flushedCount = steps.findLastIndex(({ kind }) => kind === 'flush') + 1;
    steps.forEach((step, index) => {
      if (step.kind === 'flush') return;
      const { offsetBytes, bytes } = step;
      for (const [from, to] of sectorsOf(offsetBytes, bytes.byteLength, this.sectorBytes)) {
        if (index < flushedCount || survives())
          image.set(bytes.subarray(from, to), offsetBytes + from);
      }
    });
    return image;
  }
}

/** The pieces of a write that lie in one sector each, relative to its start. */
function* sectorsOf(
  offsetBytes: number,
  lengthBytes: number,
  sectorBytes: number,
): Generator<[number, number]> {
  let from = 0;
  while (from < lengthBytes) {
    const rest = sectorBytes - ((offsetBytes + from) % sectorBytes);
    const to = Math.min(lengthBytes, from + rest);
    yield [from, to];
    from = to;
  }
}
