import { describeTarget } from '../../testing/target-laws.ts';
import { flakey } from './index.ts';

const K = { limits: { logicalBlockBytes: 4096 } };

const rejectedFeatures: [features: string, error: RegExp][] = [
  ['2 drop_writes drop_writes', /Feature drop_writes duplicated/],
  ['2 error_writes error_writes', /Feature error_writes duplicated/],
  ['2 error_reads error_reads', /Feature error_reads duplicated/],
  ['2 drop_writes error_writes', /Feature error_writes conflicts with feature drop_writes/],
  ['2 error_writes drop_writes', /Feature drop_writes conflicts with feature error_writes/],
  ['1 corrupt_bio_byte', /Feature corrupt_bio_byte requires parameters/],
  ['1 corrupt_bio_byte 1 r 1 0', /Feature corrupt_bio_byte requires parameters/],
  ['4 corrupt_bio_byte 1 r 1', /Invalid corrupt bio flags mask/],
  ['2 corrupt_bio_byte 1', /Invalid corrupt bio direction \(r or w\)/],
  ['4 corrupt_bio_byte 1 r 1 0', /Insufficient feature arguments/],
  ['5 corrupt_bio_byte 0 r 1 0', /Invalid corrupt bio byte/],
  ['5 corrupt_bio_byte 4294967296 r 1 0', /Invalid corrupt bio byte/],
  ['5 corrupt_bio_byte 1 rw 1 0', /Invalid corrupt bio direction \(r or w\)/],
  ['5 corrupt_bio_byte 1 r 256 0', /Invalid corrupt value to write into bio byte \(0-255\)/],
  ['5 corrupt_bio_byte 1 r 1 x', /Invalid corrupt bio flags mask/],
  ['6 corrupt_bio_byte 1 w 1 0 drop_writes', /drop_writes is incompatible with corrupt_bio_byte/],
  ['6 error_writes corrupt_bio_byte 1 w 1 0', /error_writes is incompatible with .* WRITE flag/],
  ['1 random_read_corrupt', /Feature random_read_corrupt requires a parameter/],
  ['1 random_write_corrupt 5', /Feature random_write_corrupt requires a parameter/],
  ['2 random_read_corrupt 1000000001', /Invalid random corrupt argument/],
  ['2 random_write_corrupt x', /Invalid random corrupt argument/],
];

/** What `table` prints behind the intervals. */
const printed: [features: string, prints: string][] = [
  ['0', '2 error_reads error_writes'],
  ['0 drop_writes', '2 error_reads error_writes'],
  ['1 drop_writes extra', '1 drop_writes'],
  ['1 DROP_WRITES', '1 drop_writes'],
  ['2 drop_writes error_reads', '2 error_reads drop_writes'],
  ['5 Corrupt_Bio_Byte 1 W 1 4294967295', '5 corrupt_bio_byte 1 w 1 4294967295'],
  ['10 corrupt_bio_byte 1 w 1 0 corrupt_bio_byte 2 r 1 0', '5 corrupt_bio_byte 2 r 1 0'],
  ['6 corrupt_bio_byte 1 r 1 0 error_reads', '6 error_reads corrupt_bio_byte 1 r 1 0'],
  ['2 random_read_corrupt 0', '2 error_reads error_writes'],
  ['3 random_write_corrupt 0 error_reads', '1 error_reads'],
  ['4 random_read_corrupt 1 random_read_corrupt 2', '2 random_read_corrupt 2'],
  [
    '11 random_write_corrupt 5 corrupt_bio_byte 1 r 2 3 random_read_corrupt 6 error_reads error_writes',
    '11 error_reads error_writes corrupt_bio_byte 1 r 2 3 random_read_corrupt 6 random_write_corrupt 5',
  ],
];

describeTarget(flakey, {
  version: '1.5.0',
  features: ['owns-flush'],
  exempt: ['extra argument'],
  disks: { S: { sizeSectors: 100 }, K },
  maps: [
    {
      line: '0 100 flakey A 8 1 0 2 error_reads error_writes',
      at: [
        [0, 'A', 8],
        [99, 'A', 107],
      ],
    },
    { line: '64 16 flakey A 0 4294967295 0 1 drop_writes', at: [[64, 'A', 0]] },
    { line: '0 100 flakey A 3 9 0', prints: 'A 3 9 0 2 error_reads error_writes' },
    { line: '0 16 flakey K 8 1 0 1 error_reads', limits: { logicalBlockBytes: 4096 } },
    { line: '0 100 flakey A 8 5 4294967290 1 error_writes' },
    ...printed.map(([features, prints]) => ({
      line: `0 100 flakey A 8 9 0 ${features}`,
      prints: `A 8 9 0 ${prints}`,
    })),
    // Down: what is left alone is left alone.
    { line: '0 64 flakey A 8 0 1 5 corrupt_bio_byte 4294967295 w 1 0' },
    { line: '0 64 flakey A 8 0 1 5 corrupt_bio_byte 1 w 1 4294967295' },
  ],
  rejects: [
    { line: '0 100 flakey', error: /flakey: Invalid argument count/ },
    { line: '0 100 flakey A 0 1', error: /Invalid argument count/ },
    { line: '0 100 flakey A x 1 1', error: /Invalid device sector/ },
    { line: '0 100 flakey A 0 x 1', error: /Invalid up interval/ },
    { line: '0 100 flakey A 0 4294967296 1', error: /Invalid up interval/ },
    { line: '0 100 flakey A 0 1 -1', error: /Invalid up interval: <down interval>/ },
    { line: '0 100 flakey A 0 0 0', error: /Total \(up \+ down\) interval is zero/ },
    { line: '0 100 flakey A 0 4294967295 2', error: /Interval overflow/ },
    { line: '0 100 flakey A 0 1 1 x', error: /Invalid number of feature args/ },
    { line: '0 100 flakey A 0 1 1 1', error: /Invalid number of feature args: expected 1/ },
    {
      line: '0 100 flakey A 0 1 1 12 a a a a a a a a a a a a',
      error: /Invalid number of feature args/,
    },
    { line: '0 100 flakey missing 0 1 1 1 foo', error: /Unrecognised flakey feature requested/ },
    ...rejectedFeatures.map(([features, error]) => ({
      line: `0 100 flakey A 0 1 1 ${features}`,
      error,
    })),
    { line: '0 100 flakey missing 0 1 1', code: 'ENOENT', error: /Device lookup failed/ },
    { line: '0 100 flakey S 1 1 1', error: /S too small for target: start=1, len=100/ },
  ],
});
