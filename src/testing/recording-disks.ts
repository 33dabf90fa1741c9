/** Disks that remember every write and flush in one order, to ask afterwards what a power failure at any of them would have left. */

import type { Prng } from '../base/prng.ts';
import type { ByteDisk } from '../core/byte-disk.ts';
import { MemoryByteDisk } from './memory-disk.ts';

const SECTOR = 512;

type Step =
  | { kind: 'write'; disk: number; offsetBytes: number; bytes: Uint8Array }
  | { kind: 'flush'; disk: number };

/** Disks whose writes are kept in one order, each with a cache of its own. */
export class RecordingDisks {
  readonly steps: Step[] = [];
  readonly #before: Uint8Array[];
  readonly disks: ByteDisk[];

  constructor(images: readonly Uint8Array[]) {
    this.#before = images.map((image) => image.slice());
    this.disks = images.map((image, disk) => {
      const now = new MemoryByteDisk(image.slice());
      return {
        name: `disk ${disk}`,
        sizeBytes: now.sizeBytes,
        sectorBytes: SECTOR,
        readOnly: false,
        read: (offsetBytes, lengthBytes) => now.read(offsetBytes, lengthBytes),
        write: (offsetBytes, bytes) => {
          this.steps.push({ kind: 'write', disk, offsetBytes, bytes: bytes.slice() });
          return now.write(offsetBytes, bytes);
        },
        flush: () => {
          this.steps.push({ kind: 'flush', disk });
          return Promise.resolve();
        },
      };
    });
  }

  /** After the first steps: what was flushed is there; of the rest the sectors that `survives` says; the last write also torn. */
  crash(stepCount: number, survives: () => boolean, tornAt: number): Uint8Array[] {
    const images = this.#before.map((image) => image.slice());
    const steps = this.steps.slice(0, stepCount);
    for (const [index, step] of steps.entries()) {
      if (step.kind === 'flush') continue;
      const { disk, offsetBytes, bytes } = step;
      const isFlushed = steps
        .slice(index)
        .some((later) => later.kind === 'flush' && later.disk === disk);
      const isLast = index === steps.length - 1;
      for (let at = 0; at < bytes.length; at += SECTOR) {
        if (!isFlushed && !survives()) continue;
        if (isLast && at >= tornAt) break;
        images[disk]!.set(bytes.subarray(at, at + SECTOR), offsetBytes + at);
      }
    }
    return images;
  }
}

export interface Crash {
  stepCount: number;
  survives: () => boolean;
  tornAt: number;
  name: string;
}

/** Once the first steps were asked for: which of them reached the disks. */
export function pickCrash(recorder: RecordingDisks, prng: Prng, stepCount: number): Crash {
  const last = recorder.steps[stepCount - 1]!;
  const lengthBytes = last.kind === 'write' ? last.bytes.length : 0;
  const tornAt = prng.chance(0.6) ? prng.integer(0, lengthBytes / SECTOR) * SECTOR : lengthBytes;
  const loss = prng.pick([0, 0.3, 1]);
  return {
    stepCount,
    tornAt,
    survives: () => !prng.chance(loss),
    name: `step ${stepCount} of ${recorder.steps.length}, torn at ${tornAt} of ${lengthBytes}, ${loss} lost`,
  };
}
