/** Steps with devices, and the disks they are done on: in a kernel (device-guest.pl) and here (device-here.ts). */

import { sectorsToBytes } from '../../src/base/units.ts';
import { numberedSectors } from '../../src/testing/snapshot-rig.ts';

export const DISKS = ['O', 'C', 'D'] as const;
type Disk = (typeof DISKS)[number];

/** Disks by their letters. */
export type Images = Readonly<Record<Disk, Uint8Array>>;

/**
 * Each answer is a word or two; after most steps the status of every snapshot, merge and log follows, and how many events its device had. Disk O is full of sectors that
 * say 1, 2 ...; C and D are for COW devices and logs. Rows of a table have ` ; ` between them. For a device:
 *
 * - `start|load|load-readonly DEVICE TABLE`, `suspend`, `resume`, `remove`, `table` (what follows the two devices), `limits`, `message WORDS`
 * - `put DEVICE SECTOR COUNT FIRST` writes sectors that say FIRST and so on; `put-synced`; `write` has a flush behind it, `hold write` is not waited for
 * - `flush`, `discard DEVICE SECTOR COUNT`, `zero DEVICE SECTOR COUNT`, `content`: all that can be read
 * - `until DEVICE STATUS`, `below DEVICE SECTORS` (until fewer are allocated), `merged`, `status` of all
 * - `blocks BYTES`: in the kernel only, O has larger blocks from now on
 */
export interface DeviceJob {
  readonly steps: readonly string[];
  readonly images: Images;
}

export interface DeviceResult {
  answers: string[];
  /** When power failed, right after the last step. */
  images: Images;
}

export function freshImages([originSectors, cowSectors]: readonly [number, number]): Images {
  const cow = () => new Uint8Array(sectorsToBytes(cowSectors));
  return { O: numberedSectors(1, originSectors), C: cow(), D: cow() };
}

export function imagesFrom(image: (disk: Disk) => Uint8Array): Images {
  return { O: image('O'), C: image('C'), D: image('D') };
}
