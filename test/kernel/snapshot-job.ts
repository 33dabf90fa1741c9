/** Steps with snapshots, and the disks they are done on: in a kernel (snapshot-guest.pl) and here (snapshot-here.ts). */

import { sectorsToBytes } from '../../src/base/units.ts';
import { numberedSectors } from '../../src/testing/snapshot-rig.ts';

export const DISKS = ['O', 'C', 'D'] as const;
type Disk = (typeof DISKS)[number];

/** Disks by their letters. */
export type Images = Readonly<Record<Disk, Uint8Array>>;

/**
 * Each answer is a word or two; after most steps the status of every snapshot and merge follows, and how many events its device had. Disk O is the origin's, its sectors
 * say 1, 2 ...; C and D are for COW devices. Rows of a table have ` ; ` between them.
 *
 * `start DEVICE TABLE`, `load|load-readonly DEVICE TABLE`, `suspend|resume|remove DEVICE`, `write DEVICE SECTOR COUNT FIRST` (of the numbers that the sectors say), and
 * a flush behind it, `discard DEVICE SECTOR COUNT`, `hold write ...` (not waited for), `content DEVICE`, `limits DEVICE`, `status`, `until DEVICE STATUS`,
 * `below DEVICE SECTORS` (until fewer are allocated), `merged DEVICE`.
 */
export interface SnapshotJob {
  readonly steps: readonly string[];
  readonly images: Images;
}

export interface SnapshotResult {
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
