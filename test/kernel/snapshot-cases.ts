/**
 * What is done to snapshots in a kernel and here. Disk O is the origin's, C and D are for COW devices; a write's content is that of a
 * random disk from sector FROM on. Steps (a device's status follows the result of those marked with *):
 *
 * `*start DEVICE TABLE`, `load DEVICE TABLE`, `suspend|resume|remove DEVICE`, `*write DEVICE SECTOR COUNT FROM`,
 * `*discard DEVICE SECTOR COUNT`, `hold STEP` (not waited for), `*digest DEVICE` (of all that it reads), `*status`,
 * `below DEVICE SECTORS` (waits until its status says that fewer are allocated), `*merged DEVICE`.
 */

export interface SnapshotCase {
  name: string;
  /** Of O, and of C and D. */
  sizes: readonly [originSectors: number, cowSectors: number];
  steps: readonly string[];
  /** When `steps` are done, or still under way, power fails; the disks go to the other side, where this is done. */
  after: readonly string[];
  /** How far it was then is chance. What is read is not. */
  isRacing?: boolean;
}

export interface SnapshotAnswer {
  steps: string[];
  after: string[];
}

const KIB_4 = 8;
const KIB_16 = 32;
const MIB = 2048;

const ORIGIN = 8192;
const COW = 8192;

function volumes(chunk: number, mode: string, size = ORIGIN, real = 'linear O 0'): string[] {
  return [
    `start real 0 ${size} ${real}`,
    `start disk 0 ${size} snapshot-origin mapper/real`,
    `start s 0 ${size} snapshot mapper/real C ${mode} ${chunk}`,
  ];
}

/** As lvm does it: the merge takes the origin's name, and the snapshot's exceptions. */
function merge(chunk: number, size = ORIGIN): string[] {
  return [
    `load disk 0 ${size} snapshot-merge mapper/real C P ${chunk}`,
    'suspend disk',
    `load s 0 ${size} error`,
    'suspend s',
    'resume disk',
    'resume s',
  ];
}

const BOTH = ['digest s', 'digest disk'];

/** Chunks as they come: parts and wholes, on both sides, forwards, backwards, across a boundary, twice. */
function someWrites(chunk: number): string[] {
  return [
    `write disk 0 ${chunk} 1000`,
    `write disk ${3 * chunk} 8 2000`,
    `write s ${4 * chunk} ${chunk} 3000`,
    `write s ${2 * chunk - 8} 16 100`,
    `write disk ${2 * chunk - 8} 16 300`,
    `write s 0 8 500`,
    `write disk ${3 * chunk} 8 600`,
  ];
}

function manyWrites(chunk: number): string[] {
  return [
    ...someWrites(chunk),
    `write s ${10 * chunk} ${4 * chunk} 20`,
    `write disk ${11 * chunk} ${6 * chunk} 40`,
    `write s ${40 * chunk} ${chunk} 1`,
    `write s ${39 * chunk} ${chunk} 2`,
    `write disk ${38 * chunk} ${chunk} 3`,
    `write s ${70 * chunk + 8} 8 10`,
  ];
}

/** What the other side does with it. */
function goOn(chunk: number, size = ORIGIN, digests = BOTH): string[] {
  return [
    ...volumes(chunk, 'P', size),
    ...digests,
    `write disk ${5 * chunk} 8 900`,
    `write s ${4 * chunk} 16 950`,
    ...digests,
    ...merge(chunk, size),
    'merged disk',
    'digest disk',
  ];
}

function filled(
  name: string,
  chunk: number,
  writes: readonly string[],
  size = ORIGIN,
): SnapshotCase {
  return {
    name,
    sizes: [size, size],
    steps: [...volumes(chunk, 'P', size), ...writes, ...BOTH],
    after: goOn(chunk, size),
  };
}

/** An origin that is slow to write, so that a merge can be stopped. */
const SLOW = 'delay O 0 0 O 0 150';
const SCATTERED = [2, 30, 31, 32, 7, 90, 91, 50, 60, 12, 13, 14, 200, 180];

function halfMerged(name: string, chunk: number, end: readonly string[]): SnapshotCase {
  const { length } = SCATTERED;
  const used = (2 + length) * chunk;
  return {
    name,
    sizes: [ORIGIN, COW],
    steps: [
      ...volumes(chunk, 'P', ORIGIN, SLOW),
      ...SCATTERED.map((index) => `write s ${index * chunk} ${chunk} ${index}`),
      'digest s',
      ...merge(chunk),
      `below disk ${used - 2 * chunk}`,
      ...end,
    ],
    after: goOn(chunk, ORIGIN, ['digest s']),
    isRacing: true,
  };
}

export const snapshotCases: readonly SnapshotCase[] = [
  filled('4 KiB', KIB_4, [...manyWrites(KIB_4), 'write s 1600 4000 0', 'write disk 1000 5000 200']),
  filled('16 KiB', KIB_16, manyWrites(KIB_16)),
  filled('1 MiB', MIB, someWrites(MIB), 8 * MIB),
  halfMerged('half merged, 4 KiB', KIB_4, ['suspend disk', 'status']),
  halfMerged('half merged, 16 KiB', KIB_16, ['suspend disk', 'status']),
  halfMerged('cut off while merging', KIB_4, []),
];
