/**
 * What is done to snapshots in a kernel and here: `steps`, power fails with everything live, and with the disks of either side both go on with `after`.
 * See device-job.ts for the steps.
 */

export interface SnapshotCase {
  name: string;
  /** Of O, and of C and D. */
  sizes: readonly [originSectors: number, cowSectors: number];
  steps: readonly string[];
  after: readonly string[];
  /** How far `steps` came is chance: numbers and disks differ from run to run, what is read does not. */
  isRacing?: boolean;
}

const KIB_4 = 8;
const KIB_16 = 32;
const MIB = 2048;
const SIZE = 4096;

interface Volumes {
  chunk: number;
  size?: number;
  /** `P`, `PO` or `N`. */
  mode?: string;
  /** The table of the device below the origin; rows with ` ; ` between. */
  real?: string;
  cow?: string;
  /** Steps that start other snapshots. */
  others?: readonly string[];
}

/**
 * As lvm has them: the device below, snapshots, and the origin. The last, for when a kernel resumes an origin it looks how large the chunks are, and a larger write
 * would be copied in part.
 */
function volumes({ chunk, size = SIZE, mode = 'P', real, cow = 'C', others = [] }: Volumes) {
  return [
    `start real ${real ?? `0 ${size} linear O 0`}`,
    `start s 0 ${size} snapshot mapper/real ${cow} ${mode} ${chunk}`,
    ...others,
    `start disk 0 ${size} snapshot-origin mapper/real`,
  ];
}

/** As lvm does it: the merge takes the origin's name, and the snapshot's exceptions. */
function merge({ chunk, size = SIZE }: Volumes): string[] {
  return [
    `load disk 0 ${size} snapshot-merge mapper/real C P ${chunk}`,
    'suspend disk',
    `load s 0 ${size} error`,
    'suspend s',
    'resume disk',
    'resume s',
  ];
}

/** Rows of a device that shows `disk`; a write to `count` sectors at `from` does not come back before the end of the test. */
function stuckAt(disk: string, from: number, count: number, size: number): string {
  const behind = from + count;
  return [
    `0 ${from} linear ${disk} 0`,
    `${from} ${count} delay ${disk} ${from} 0 ${disk} ${from} 3600000 ${disk} ${from} 0`,
    `${behind} ${size - behind} linear ${disk} ${behind}`,
  ].join(' ; ');
}

const CONTENTS = ['content s', 'content disk'];

/** Chunks as they come: parts and wholes, on both sides, forwards, backwards, across a boundary, twice. */
function someWrites(chunk: number): string[] {
  return [
    `write disk 0 ${chunk}`,
    `write disk ${3 * chunk} 1`,
    `write s ${4 * chunk} ${chunk}`,
    `write s ${2 * chunk - 1} 2`,
    `write disk ${2 * chunk - 1} 2`,
    'write s 0 1',
    `write disk ${3 * chunk} 1`,
  ];
}

function manyWrites(chunk: number): string[] {
  return [
    ...someWrites(chunk),
    `write s ${10 * chunk} ${4 * chunk}`,
    `write disk ${11 * chunk} ${6 * chunk}`,
    `write s ${40 * chunk} ${chunk}`,
    `write s ${39 * chunk} ${chunk}`,
    `write disk ${38 * chunk} ${chunk}`,
    `write s ${70 * chunk} 1`,
  ];
}

/** What the other side does with it. */
function goOn(all: Volumes, contents = CONTENTS): string[] {
  const { chunk } = all;
  return [
    ...volumes(all),
    ...contents,
    `write disk ${5 * chunk} 1`,
    `write s ${4 * chunk} 2`,
    ...contents,
    ...merge(all),
    'merged disk',
    'content disk',
  ];
}

/** Each write has numbers of its own. */
function numbered(steps: readonly string[], base: number): string[] {
  return steps.map((step, index) => {
    return /^(hold )?write /.test(step) ? `${step} ${base + index * 100_000}` : step;
  });
}

const ownNumbers = ({ steps, after, ...rest }: SnapshotCase): SnapshotCase => ({
  ...rest,
  steps: numbered(steps, 100_000),
  after: numbered(after, 10_000_000),
});

function filled(name: string, chunk: number, writes: readonly string[], size = SIZE): SnapshotCase {
  return {
    name,
    sizes: [size, size],
    steps: [...volumes({ chunk, size }), ...writes, ...CONTENTS],
    after: goOn({ chunk, size }),
  };
}

/** What a half-merged snapshot had, in that order: a merge comes from the end, and is stuck in a run of consecutive chunks. */
interface Half {
  written: readonly number[];
  stuck: number;
  /** How many are left then, the run with them. */
  left: number;
  /** A chunk that is back, one that is not yet, one that never was away. */
  merged: number;
  kept: number;
  other: number;
}

const SCATTERED: Half = {
  written: [2, 60, 14, 7, 30, 31, 32, 90, 91, 50, 20, 12, 11, 3],
  stuck: 31,
  left: 7,
  merged: 50,
  kept: 14,
  other: 70,
};
const FEW: Half = { written: [3, 5, 6, 1, 0], stuck: 6, left: 3, merged: 1, kept: 3, other: 4 };

const writesOf = ({ written }: Half, chunk: number) =>
  written.map((index) => `write s ${index * chunk} ${chunk}`);

function writesWhileMerging({ merged, kept, other }: Half, chunk: number): string[] {
  return [
    `write disk ${merged * chunk} ${chunk}`,
    `write disk ${kept * chunk} 1`,
    `write disk ${other * chunk} 1`,
  ];
}

function halfMerged(name: string, chunk: number, half = SCATTERED, size = SIZE): SnapshotCase {
  const real = stuckAt('O', half.stuck * chunk, chunk, size);
  return {
    name,
    sizes: [size, size],
    steps: [
      ...volumes({ chunk, size, real }),
      ...writesOf(half, chunk),
      'content s',
      ...merge({ chunk, size }),
      `until disk ${(2 + half.left) * chunk}/${size} ${2 * chunk}`,
      ...writesWhileMerging(half, chunk),
      'content disk',
      `hold write disk ${half.stuck * chunk} 1`,
      'status',
    ],
    after: goOn({ chunk, size }),
  };
}

const suspendedMerge: SnapshotCase = {
  name: 'half merged and suspended',
  sizes: [SIZE, SIZE],
  steps: [
    ...volumes({ chunk: KIB_4, real: `0 ${SIZE} delay O 0 0 O 0 100` }),
    ...writesOf(SCATTERED, KIB_4),
    ...merge({ chunk: KIB_4 }),
    `below disk ${SCATTERED.written.length * KIB_4}`,
    'suspend disk',
    'status',
  ],
  after: goOn({ chunk: KIB_4 }, ['content s']),
  isRacing: true,
};

/** The merge leaves an area, and is stuck in the one before. */
const backInFirstArea: SnapshotCase = {
  name: 'merged back into the first area',
  sizes: [SIZE, SIZE],
  steps: [
    ...volumes({ chunk: 1, real: stuckAt('O', 2 * 20, 1, SIZE) }),
    ...Array.from({ length: 70 }, (_, index) => `write s ${2 * index} 1`),
    ...merge({ chunk: 1 }),
    `until disk 23/${SIZE} 2`,
    'content disk',
  ],
  after: goOn({ chunk: 1 }),
};

const mergeFailed: SnapshotCase = {
  name: 'a merge that failed',
  sizes: [SIZE, SIZE],
  steps: [
    ...volumes({ chunk: KIB_4 }),
    ...writesOf(SCATTERED, KIB_4),
    'load real 0 240 linear O 0 ; 240 24 error ; 264 3832 linear O 264',
    'suspend real',
    'resume real',
    ...merge({ chunk: KIB_4 }),
    'until disk Merge failed',
    `write disk ${50 * KIB_4} ${KIB_4}`,
    `write disk ${14 * KIB_4} 1`,
    'content disk',
  ],
  after: goOn({ chunk: KIB_4 }),
};

/** A copy that does not come to an end: nothing that came after it is committed. */
const cutWhileCopying: SnapshotCase = {
  name: 'cut off while copying',
  sizes: [SIZE, SIZE],
  steps: [
    `start cow ${stuckAt('C', 5 * KIB_4, KIB_4, SIZE)}`,
    ...volumes({ chunk: KIB_4, cow: 'mapper/cow' }),
    `write disk ${8 * KIB_4} 1`,
    `write s ${30 * KIB_4} ${2 * KIB_4}`,
    `hold write disk ${40 * KIB_4} 1`,
    `hold write s ${41 * KIB_4} ${KIB_4}`,
    `hold write disk ${50 * KIB_4} 1`,
    'content s',
    'content disk',
  ],
  after: goOn({ chunk: KIB_4 }),
};

/** Of two, one is merged: the other gets what that overwrites. */
const otherSnapshot = `start t 0 ${SIZE} snapshot mapper/real D P ${KIB_16}`;
const bothContents = ['content t', 'content disk'];

const twoSnapshots: SnapshotCase = {
  name: 'two snapshots, one half merged',
  sizes: [SIZE, SIZE],
  steps: [
    ...volumes({
      chunk: KIB_4,
      real: stuckAt('O', SCATTERED.stuck * KIB_4, KIB_4, SIZE),
      others: [otherSnapshot],
    }),
    `write disk ${1 * KIB_4} 2`,
    ...writesOf(SCATTERED, KIB_4),
    `write t ${13 * KIB_4} 3`,
    'content s',
    ...bothContents,
    ...merge({ chunk: KIB_4 }),
    `until disk ${(2 + SCATTERED.left + 1) * KIB_4}/${SIZE} ${2 * KIB_4}`,
    ...writesWhileMerging(SCATTERED, KIB_4),
    `write t ${71 * KIB_4} 1`,
    ...bothContents,
  ],
  after: [
    ...volumes({ chunk: KIB_4, others: [otherSnapshot] }),
    'content s',
    ...bothContents,
    `write disk ${5 * KIB_4} 1`,
    `write s ${4 * KIB_4} 2`,
    ...bothContents,
    ...merge({ chunk: KIB_4 }),
    'merged disk',
    `write disk ${100 * KIB_4} 1`,
    ...bothContents,
  ],
};

/** As lvextend does: the COW device grows, and the snapshot's table is loaded anew. */
const grown: SnapshotCase = {
  name: 'a COW device that grows',
  sizes: [SIZE, SIZE],
  steps: [
    'start cow 0 80 linear C 0',
    ...volumes({ chunk: KIB_4, cow: 'mapper/cow' }),
    `write disk 0 ${6 * KIB_4}`,
    'load cow 0 160 linear C 0',
    `load s 0 ${SIZE} snapshot mapper/real mapper/cow P ${KIB_4}`,
    'suspend s',
    'suspend cow',
    'resume cow',
    'resume s',
    `write s ${20 * KIB_4} ${4 * KIB_4}`,
    `write disk ${21 * KIB_4} ${5 * KIB_4}`,
    ...CONTENTS,
    `write disk ${60 * KIB_4} ${15 * KIB_4}`,
    'content disk',
  ],
  after: [...volumes({ chunk: KIB_4 }), 'content disk', 'write disk 0 8', 'content s'],
};

const overflown: SnapshotCase = {
  name: 'an overflow',
  sizes: [SIZE, SIZE],
  steps: [
    'start cow 0 80 linear C 0',
    ...volumes({ chunk: KIB_4, cow: 'mapper/cow', mode: 'PO' }),
    `write disk 0 ${6 * KIB_4}`,
    `write s ${20 * KIB_4} ${4 * KIB_4}`,
    'content s',
  ],
  after: [
    'start cow 0 80 linear C 0',
    ...volumes({ chunk: KIB_4, cow: 'mapper/cow', mode: 'PO' }),
    'content s',
    'write s 0 1',
    `write s ${30 * KIB_4} 1`,
    'write s 0 1',
    'content s',
    `write disk ${30 * KIB_4} 1`,
    ...CONTENTS,
  ],
};

/** 4 KiB and 256 exceptions: an area. */
const wholeArea = (count: number) => [
  `write s ${16 * KIB_4} ${(count - 2) * KIB_4}`,
  'write s 0 16',
];

export const snapshotCases: readonly SnapshotCase[] = [
  filled('new', KIB_4, []),
  filled('512 bytes, many areas', 1, [...manyWrites(1), 'write s 90 500', 'write disk 60 300']),
  filled('4 KiB', KIB_4, manyWrites(KIB_4)),
  filled('4 KiB, two areas', KIB_4, [
    ...someWrites(KIB_4),
    'write s 600 2400',
    'write disk 400 900',
  ]),
  filled('4 KiB, an area but one', KIB_4, wholeArea(255)),
  filled('4 KiB, a full area', KIB_4, wholeArea(256)),
  filled('16 KiB', KIB_16, manyWrites(KIB_16)),
  filled('1 MiB', MIB, someWrites(MIB), 8 * MIB),
  halfMerged('half merged, 512 bytes', 1),
  halfMerged('half merged, 4 KiB', KIB_4),
  halfMerged('half merged, 16 KiB', KIB_16),
  halfMerged('half merged, 1 MiB', MIB, FEW, 8 * MIB),
  backInFirstArea,
  suspendedMerge,
  mergeFailed,
  cutWhileCopying,
  twoSnapshots,
  grown,
  overflown,
].map(ownNumbers);
