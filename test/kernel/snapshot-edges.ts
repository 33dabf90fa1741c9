/**
 * Snapshots that come to the end of their COW device, one chunk after the other: at which write, and how, a kernel and we say that it is full. And devices that fail, discards,
 * tables that are wrong about the store.
 */

/** Steps of one snapshot, from `start real` on; see device-job.ts. */
export interface SnapshotEdge {
  name: string;
  sizes: readonly [originSectors: number, cowSectors: number];
  steps: readonly string[];
}

const ORIGIN = 4096;
const COW = 4096;
/** 512 bytes hold 32 exceptions: the first areas lie at chunks 1 and 34. */
const SMALL = 1;
const KIB_4 = 8;

interface Edge {
  mode: 'P' | 'PO' | 'N';
  chunk: number;
  /** Of the COW device. */
  cowSectors: number;
  /** Who writes: `disk` or `s`. */
  by: string;
  /** Chunks that are written at first, with one write, then those that are written one by one. */
  ahead: number;
  each: number;
  /** Of each chunk: less than a chunk has to be copied. */
  writeSectors: number;
}

function edge({ mode, chunk, cowSectors, by, ahead, each, writeSectors }: Edge): SnapshotEdge {
  const start = `start s 0 ${ORIGIN} snapshot mapper/real mapper/cow ${mode} ${chunk}`;
  const writeAt = (device: string, index: number, count = writeSectors) =>
    `write ${device} ${index * chunk} ${count} ${100_000 * (index + 1)}`;
  const other = by === 's' ? 'disk' : 's';
  const size = writeSectors === chunk ? 'chunks' : 'parts';
  return {
    name: `${mode} ${chunk}, ${cowSectors} sectors, ${size} by ${by}`,
    sizes: [ORIGIN, COW],
    steps: [
      `start real 0 ${ORIGIN} linear O 0`,
      `start cow 0 ${cowSectors} linear C 0`,
      start,
      `start disk 0 ${ORIGIN} snapshot-origin mapper/real`,
      ...(ahead > 0 ? [writeAt(by, 0, ahead * chunk)] : []),
      ...Array.from({ length: each }, (_, index) => writeAt(by, ahead + index)),
      'content s',
      // A chunk that it has, and one that it has not.
      writeAt(by, 0, 1),
      writeAt(other, 1, 1),
      writeAt(other, ahead + each + 1, 1),
      'content s',
      'content disk',
      'remove s',
      ...(mode === 'N' ? [] : [start, 'content s']),
    ],
  };
}

const MODES = ['P', 'PO', 'N'] as const;

/** Around the end of the areas: the last chunk that there is may be data, a full area, or the next one, which must be there before that is full. */
const areaEnds = [2, 3, 33, 34, 35, 36].flatMap((cowSectors) =>
  MODES.flatMap((mode) =>
    ['disk', 's'].map((by) => {
      const ahead = Math.max(0, cowSectors - 6);
      return edge({ mode, chunk: SMALL, cowSectors, by, ahead, each: 6, writeSectors: SMALL });
    }),
  ),
);

/** Chunks that are not there whole. */
const brokenChunks = [23, 24, 31].flatMap((cowSectors) =>
  MODES.map((mode) =>
    edge({ mode, chunk: KIB_4, cowSectors, by: 's', ahead: 0, each: 4, writeSectors: 3 }),
  ),
);

/** One write of more than there is room for. */
const atOnce = MODES.flatMap((mode) =>
  ['disk', 's'].map((by) => ({
    ...edge({ mode, chunk: KIB_4, cowSectors: 80, by, ahead: 20, each: 0, writeSectors: 3 }),
    name: `${mode}, one write by ${by}`,
  })),
);

/** 256 exceptions, as people have them. */
const ofPages = (['P', 'PO'] as const).flatMap((mode) =>
  [2064, 2072, 2080].map((cowSectors) =>
    edge({ mode, chunk: KIB_4, cowSectors, by: 's', ahead: 254, each: 4, writeSectors: KIB_4 }),
  ),
);

const READY = [
  `start real 0 ${ORIGIN} linear O 0`,
  `start s 0 ${ORIGIN} snapshot mapper/real C P ${KIB_4}`,
  `start disk 0 ${ORIGIN} snapshot-origin mapper/real`,
];

const other = (name: string, steps: readonly string[]): SnapshotEdge => ({
  name,
  sizes: [ORIGIN, COW],
  steps,
});

/** A device below in place of `device`, in which `count` sectors at `from` fail. */
const failing = (device: string, disk: string, from: number, count: number) => [
  `load ${device} 0 ${from} linear ${disk} 0 ; ${from} ${count} error ; ${from + count} ${ORIGIN - from - count} linear ${disk} ${from + count}`.replace(
    'load cow 0 0 linear C 0 ; ',
    'load cow ',
  ),
  `suspend ${device}`,
  `resume ${device}`,
];

/** What follows the failure of a disk. */
const afterFailure = [
  'write disk 8 1 1000000',
  'write s 80 8 2000000',
  'write disk 160 1 3000000',
  'write s 240 1 4000000',
  'content s',
  'content disk',
];

const withFailure = (name: string, failure: readonly string[]) =>
  other(name, [
    `start cow 0 ${COW} linear C 0`,
    ...READY.map((step) => step.replace(' C ', ' mapper/cow ')),
    'write disk 0 1 500000',
    ...failure,
    ...afterFailure,
    'remove s',
    `load cow 0 ${COW} linear C 0`,
    'suspend cow',
    'resume cow',
    READY[1]!.replace(' C ', ' mapper/cow '),
  ]);

const failures = [
  withFailure('a copy cannot be written', failing('cow', 'C', 24, 8)),
  withFailure('a whole chunk cannot be written', failing('cow', 'C', 32, 8)),
  withFailure('an area cannot be written', failing('cow', 'C', 8, 8)),
  withFailure('neither area nor header can be written', failing('cow', 'C', 0, 16)),
  withFailure('what is to be copied cannot be read', failing('real', 'O', 160, 8)),
];

const discards = ['', ' 1 discard_zeroes_cow', ' 2 discard_zeroes_cow discard_passdown_origin'].map(
  (features) =>
    other(`discards,${features || ' no feature'}`, [
      READY[0]!,
      `${READY[1]!}${features}`,
      READY[2]!,
      'limits s',
      'limits disk',
      'write s 0 32 1000000',
      'discard s 8 8',
      'discard s 17 2',
      'discard s 80 8',
      'discard s 4 100',
      'discard disk 200 8',
      'content s',
      'content disk',
      'table s',
    ]),
);

const limits = [16, 2048].map((chunk) =>
  other(`limits of chunks of ${chunk}`, [
    READY[0]!,
    `start s 0 ${ORIGIN} snapshot mapper/real C P ${chunk} 1 discard_zeroes_cow`,
    'limits s',
  ]),
);

const others = [
  other('a table that is wrong about the chunks', [
    ...READY,
    'write s 0 20 1000000',
    'remove s',
    `start s 0 ${ORIGIN} snapshot mapper/real C P 32`,
    'table s',
    'content s',
    'remove s',
    `start s 0 ${ORIGIN} snapshot mapper/real C P 0`,
    'table s',
    'write disk 80 8 2000000',
  ]),
  other('read-only, a new store', [
    READY[0]!,
    READY[1]!.replace('start', 'load-readonly'),
    'resume s',
    'status',
  ]),
  other('read-only, a store that is there', [
    ...READY,
    'write s 0 20 1000000',
    'remove s',
    READY[1]!.replace('start', 'load-readonly'),
    'resume s',
    'status',
    'content s',
    'suspend disk',
    'resume disk',
    'write disk 80 8 2000000',
    'content s',
    'content disk',
  ]),
];

export const snapshotEdges: readonly SnapshotEdge[] = [
  ...failures,
  ...discards,
  ...limits,
  ...others,
  ...areaEnds,
  ...brokenChunks,
  ...atOnce,
  ...ofPages,
];
