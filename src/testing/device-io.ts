/** Bios for tests: one call, one promise, and a complaint when a device ends one twice or never. */

import { endsWithin, systemClock } from '../base/clock.ts';
import { Bio, OP_NAMES, type Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import type { ExtentList } from '../core/extents.ts';

export interface BioFields {
  op: Op;
  sector?: number;
  sectorCount?: number;
  data?: Uint8Array;
  dataOffset?: number;
  flags?: number;
  extents?: ExtentList;
}

/** How long a test waits for what must end; a test of the laws themselves is less patient. */
export const patience = { timeoutMs: 10_000 };

/** Counts its endings instead of trusting the device. */
export class WatchedBio extends Bio {
  endCount = 0;

  override end(error: number): void {
    this.endCount += 1;
    if (this.endCount === 1) super.end(error);
  }
}

export interface StartedBio {
  bio: WatchedBio;
  /** Its errno. */
  ended: Promise<number>;
}

/** Submits and does not wait. */
export function startBio(device: BlockDevice, fields: BioFields): StartedBio {
  const bio = Object.assign(new WatchedBio(), fields);
  bio.device = device;
  const ended = new Promise<number>((resolve) => {
    bio.onEnd = ({ error }) => resolve(error);
  });
  device.submit(bio);
  return { bio, ended };
}

/** Submits and answers the errno; throws when the bio never ends, or ends twice. */
export async function runBio(device: BlockDevice, fields: BioFields): Promise<number> {
  const { bio, ended } = startBio(device, fields);
  const name = `${OP_NAMES[bio.op]} bio at ${bio.sector}`;
  const errno = await inTime(ended, `${name} never ended`);
  if (bio.endCount !== 1) throw new Error(`${name} ended twice`);
  return errno;
}

/** The promise, or an error that states `problem` when patience ends. */
export async function inTime<T>(promise: Promise<T>, problem: string): Promise<T> {
  const { timeoutMs } = patience;
  if (await endsWithin(systemClock, timeoutMs, promise)) return await promise;
  throw new Error(`After ${timeoutMs} ms: ${problem}`);
}
