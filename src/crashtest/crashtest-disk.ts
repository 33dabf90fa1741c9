/** A disk as the functions of a test in this process see it. */

import type { BlockDevice } from '../core/device.ts';
import { Volume } from '../mapper/volume.ts';
import type { StagedDisk } from './stage.ts';

/** For the function that it was given to, and no longer. */
export class CrashtestDisk extends Volume {
  /** Where programs find the same disk over NBD. */
  readonly nbdUri: string;
  /** The same as a file, for other processes; null unless `files` was asked for and FUSE is there. */
  readonly path: string | null;

  constructor(name: string, device: BlockDevice, { uri, path }: StagedDisk) {
    super({ name: () => name, device, release: () => {} });
    this.nbdUri = uri;
    this.path = path;
  }
}
