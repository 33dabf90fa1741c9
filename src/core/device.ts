/** What can stand below a target: a file, a block node, memory, an NBD export, or another mapped device. */

import type { Bio } from './bio.ts';
import type { Limits } from './limits.ts';

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

export function formatDeviceNumber({ major, minor }: DeviceNumber): string {
  return `${major}:${minor}`;
}

/** A block device as targets see it. */
export interface BlockDevice {
  /** Stable while the device is in use; what `deps` and the ioctl structs carry. */
  readonly number: DeviceNumber;
  /** As a table prints it, loadable again: `major:minor` for nodes and mapped devices, absolute path or URI else. */
  readonly operand: string;
  readonly sizeSectors: number;
  readonly limits: Limits;
  readonly readOnly: boolean;
  /**
   * Starts a bio. `bio.device` is this device, the range lies inside it, `bio.onEnd` is set.
   * The device ends it exactly once, perhaps before `submit` returns, with an errno of Linux' numbering.
   * Never throws for anything that a disk or a peer can do.
   */
  submit(bio: Bio): void;
  /** What lets another thread do simple I/O on it by itself; absent where only this thread can. */
  readonly direct?: DirectAccess;
}

/**
 * How a data-plane worker reaches the bytes without this thread. Structured-cloneable.
 * - `file`: pread and pwrite on the descriptor at the same offsets
 * - `memory`: the bytes themselves
 */
export type DirectAccess =
  | {
      kind: 'file';
      fd: number;
      writable: boolean;
      /** The file system is memory: no call waits for a disk, however long it takes. */
      inMemory: boolean;
    }
  | { kind: 'memory'; bytes: SharedArrayBuffer };

/** A range of a device that a target uses. */
export interface DeviceRange {
  device: BlockDevice;
  startSectors: number;
  lengthSectors: number;
}
