/** The bottom devices of a worker's copy of a stack. They end every bio before `submit` or `unplug` returns. */

import { Errno } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { type Bio, Op } from '../../core/bio.ts';
import type { BlockDevice, DeviceNumber } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import type { FileRanges } from './file-ranges.ts';
import type { PlanLeaf } from './plan.ts';

/** In the worker only: this request needs the main thread. Never leaves the worker. */
export const NEEDS_MAIN = Errno.EAGAIN;

/** What every leaf has in common: the plan's description of the device. */
export abstract class Leaf implements BlockDevice {
  readonly number: DeviceNumber = { major: 0, minor: 0 };
  readonly operand: string;
  readonly sizeSectors: number;
  readonly limits: Limits;
  readonly readOnly: boolean;

  constructor(leaf: PlanLeaf) {
    this.operand = leaf.operand;
    this.sizeSectors = leaf.sizeSectors;
    this.limits = leaf.limits;
    this.readOnly = leaf.readOnly;
  }

  abstract submit(bio: Bio): void;
}

/** A device that only the main thread can reach. */
export class RemoteLeaf extends Leaf {
  submit(bio: Bio): void {
    bio.end(NEEDS_MAIN);
  }
}

/** Memory of this process. */
export class MemoryLeaf extends Leaf {
  readonly #bytes: Uint8Array;
  readonly #ranges: FileRanges;

  constructor(leaf: PlanLeaf, bytes: SharedArrayBuffer, ranges: FileRanges) {
    super(leaf);
    this.#bytes = new Uint8Array(bytes);
    this.#ranges = ranges;
  }

  submit(bio: Bio): void {
    const start = bio.sector * SECTOR_BYTES;
    const end = start + bio.lengthBytes;
    // A request that asks where files hold its data has no memory to read into.
    if (this.#ranges.active) {
      bio.end(NEEDS_MAIN);
    } else if (end > this.#bytes.length) {
      bio.end(Errno.EIO);
    } else if (bio.op === Op.read) {
      bio.data.set(this.#bytes.subarray(start, end), bio.dataOffset);
      bio.end(0);
    } else if (bio.op === Op.write) {
      const from = bio.dataOffset;
      this.#bytes.set(bio.data.subarray(from, from + bio.lengthBytes), start);
      bio.end(0);
    } else {
      bio.end(NEEDS_MAIN);
    }
  }
}
