/**
 * Tables that the real kernel and this one must judge alike, as people type them into dmsetup.
 *
 * Disks: /dev/A and /dev/B have 4096 sectors, /dev/C has 2048, /dev/K has 4096 sectors in blocks of 4096 bytes. The device is
 * `t`.
 */

import { badFaults, differentFaults, goodFaults } from './fault-tables.ts';
import { badLogWrites, logWritesScripts } from './log-writes-tables.ts';
import { scripts, type TableCase } from './table-scripts.ts';

/** Accepted by both. */
const good: readonly string[] = [
  '0 8 linear /dev/A 0',
  '0 4096 linear /dev/A 0',
  '0 4095 linear /dev/A 1',
  '0 1 linear /dev/A 4095',
  '0 100 linear /dev/A 08',
  '  0\t100   linear  /dev/A\t8  ',
  '+0 +100 zero',
  '0 100zero',
  '0 100 zero # a comment',
  '# a comment\n\n0 100 zero\n   # another\n',
  '0 2048 linear /dev/A 0\n2048 2048 linear /dev/B 0',
  '0 8 linear /dev/A 8\n8 8 linear /dev/A 0\n16 8 linear /dev/A 8',
  '0 10 linear /dev/A 7\n10 1 zero\n11 5 error\n16 100 striped 2 2 /dev/A 3 /dev/B 9',
  '0 10 linear /dev/A 7\n10 1 zero\n11 100 striped 2 2 /dev/A 3 /dev/B 9',
  '0 17592186044415 zero',
  '0 100 error',
  '0 100 error ignored',
  '0 100 error /dev/A 8 ignored',
  '0 100 error /dev/A 8',
  '0 64 striped 1 8 /dev/A 0',
  '0 64 striped +2 +8 /dev/A 0 /dev/B 16',
  '0 102 striped 2 17 /dev/A 0 /dev/B 0',
  '0 63 striped 3 7 /dev/A 1 /dev/B 2 /dev/C 3',
  '0 12 striped 4 1 /dev/A 0 /dev/A 10 /dev/A 20 /dev/A 30',
  '0 8192 striped 2 128 /dev/A 0 /dev/B 0',
  '0 4096 striped 2 2048 /dev/A 0 /dev/C 0',
  '0 8 zero\n8 16 striped 2 4 /dev/A 0 /dev/B 0',
  '0 16 unstriped 2 4 0 /dev/A 0',
  '0 16 unstriped 2 4 1 /dev/A 0',
  '0 21 unstriped 3 7 2 /dev/A 5',
  '0 16 unstriped +2 +4 +1 /dev/A 100',
  '0 12 unstriped 1 4 0 /dev/A 5',
  '0 2048 unstriped 2 128 1 /dev/A 0',
  '0 8 zero\n8 16 unstriped 2 4 1 /dev/A 0',
  '0 6 zero\n6 8 unstriped 2 4 1 /dev/A 0',
  '0 100 switch 1 16 0 /dev/A 0',
  '0 100 switch 2 16 0 /dev/A 8 /dev/B 1000',
  '0 100 switch 3 7 0 /dev/A 0 /dev/B +8 /dev/C 9',
  '0 20 switch 2 4294967295 0 /dev/A 0 /dev/B 0',
  '0 3 zero\n3 100 switch 2 16 0 /dev/A 8 /dev/B 1000',
  '0 16 linear /dev/K 8',
  '0 4 linear /dev/A 0\n4 4 linear /dev/B 0\n8 8 linear /dev/K 0',
  '0 3 zero\n3 5 zero\n8 8 linear /dev/K 0',
  '0 16 striped 2 8 /dev/K 0 /dev/A 0',
];

/** Refused by both, with the same errno and the same words. */
const bad: readonly string[] = [
  // What dmsetup itself cannot read.
  '0',
  '0 100',
  'zero',
  'x 100 zero',
  '0 x zero',
  '0100 zero',
  '0x10 100 zero',
  '0 1e3 zero',
  '0 10.5 zero',
  '0 100 abcdefghijklmnop',
  '0 100 zero\n100 zero',
  // Rows.
  '0 0 zero',
  '0 0 nosuch',
  '0 100 nosuch',
  '0 100 abcdefghijklmno',
  '0 100 Linear /dev/A 0',
  '-1 100 zero',
  '0 -1 zero',
  '0 18446744073709551615 zero',
  '0 18446744073709551624 zero',
  '18446744073709551608 16 zero',
  '0 36028797018963967 zero',
  '0 18014398509481984 zero',
  '9223372036854775808 100 zero',
  '1 100 zero',
  '0 100 zero\n101 100 zero',
  '0 100 zero\n50 100 zero',
  '0 100 zero\n0 100 zero',
  '100 100 zero\n0 100 zero',
  '0 100 zero\n100 0 zero',
  '0 100 zero\n100 100 nosuch',
  // linear
  '0 100 linear',
  '0 100 linear /dev/A',
  '0 100 linear /dev/A 0 0',
  '0 100 linear /dev/A \\',
  '0 100 linear /dev/A x',
  '0 100 linear /dev/A 8x',
  '0 100 linear /dev/A +8',
  '0 100 linear /dev/A -8',
  '0 100 linear /dev/A 0x8',
  '0 100 linear /dev/A 8.0',
  '0 100 linear /dev/A 8\\ ',
  '0 100 linear /dev/nosuch 0',
  '0 100 linear /dev/nosuch x',
  '0 100 linear nosuch 0',
  '0 100 linear /dev/null 0',
  '0 100 linear 77:77 0',
  '0 100 linear 77: 0',
  '0 4097 linear /dev/A 0',
  '0 100 linear /dev/A 3997',
  '0 100 linear /dev/A 4096',
  '0 100 linear /dev/A 99999999',
  '0 100 linear /dev/A 4294967296',
  '0 100 linear /dev/A 1099511627776',
  '0 4096 linear /dev/A 0\n4096 2049 linear /dev/C 0',
  '0 100 linear /dev/K 0',
  '0 8 linear /dev/K 4',
  '0 4 linear /dev/A 0\n4 8 linear /dev/K 0\n12 4 linear /dev/A 0',
  '0 8 linear /dev/K 0\n8 3 linear /dev/A 0',
  '0 8 linear /dev/K 0\n8 3 zero',
  // zero and error
  '0 100 zero 0',
  '0 100 zero /dev/A 0',
  '0 100 error /dev/A x',
  '0 100 error /dev/nosuch 0',
  '0 5000 error /dev/A 0',
  // striped
  '0 64 striped',
  '0 64 striped 2',
  '0 64 striped 0 8 /dev/A 0 /dev/B 0',
  '0 64 striped -2 8 /dev/A 0 /dev/B 0',
  '0 64 striped x 8 /dev/A 0 /dev/B 0',
  '0 64 striped 2x 8 /dev/A 0 /dev/B 0',
  '0 64 striped 4294967298 8 /dev/A 0 /dev/B 0',
  '0 64 striped 2 0 /dev/A 0 /dev/B 0',
  '0 64 striped 2 x /dev/A 0 /dev/B 0',
  '0 64 striped 2 4294967304 /dev/A 0 /dev/B 0',
  '0 65 striped 2 8 /dev/A 0 /dev/B 0',
  '0 100 striped 2 3 /dev/A 0 /dev/B 0',
  '0 64 striped 2 64 /dev/A 0 /dev/B 0',
  '0 64 striped 2 8',
  '0 64 striped 2 8 /dev/A 0',
  '0 64 striped 2 8 /dev/A 0 /dev/B',
  '0 64 striped 2 8 /dev/A 0 /dev/B 0 /dev/C 0',
  '0 64 striped 2 8 /dev/A x /dev/B 0',
  '0 64 striped 2 8 /dev/A 0 /dev/B +8',
  '0 64 striped 2 8 /dev/A 0 /dev/nosuch 0',
  '0 64 striped 2 8 /dev/A 0 /dev/nosuch x',
  '0 64 striped 2 8 /dev/A 0 /dev/B 4065',
  '0 12 striped 2 1 /dev/K 0 /dev/K 8',
  // unstriped
  '0 64 unstriped',
  '0 64 unstriped 2 8 0 /dev/A',
  '0 64 unstriped 2 8 0 /dev/A 0 0',
  '0 64 unstriped 0 8 0 /dev/A 0',
  '0 64 unstriped x 8 0 /dev/A 0',
  '0 64 unstriped 2 0 0 /dev/A 0',
  '0 64 unstriped 2 8 x /dev/A 0',
  '0 64 unstriped 2 8 -1 /dev/A 0',
  '0 64 unstriped 2 8 3 /dev/A 0',
  '0 64 unstriped 2 8 4294967296 /dev/A 0',
  '0 64 unstriped 2 8 0 /dev/nosuch 0',
  '0 64 unstriped 2 8 0 /dev/nosuch x',
  '0 64 unstriped 2 8 0 /dev/A x',
  '0 64 unstriped 2 8 0 /dev/A +8',
  '0 60 unstriped 2 8 0 /dev/A 0',
  // switch
  '0 100 switch',
  '0 100 switch 2',
  '0 100 switch 2 16',
  '0 100 switch 0 16 0',
  '0 100 switch +1 16 0 /dev/A 0',
  '0 100 switch x 16 0 /dev/A 0',
  '0 100 switch 999999 16 0 /dev/A 0',
  '0 100 switch 2 0 0 /dev/A 0 /dev/B 0',
  '0 100 switch 2 x 0 /dev/A 0 /dev/B 0',
  '0 100 switch 2 16 1 /dev/A 0 /dev/B 0',
  '0 100 switch 2 16 x /dev/A 0 /dev/B 0',
  '0 100 switch 2 16 0',
  '0 100 switch 2 16 0 /dev/A 0',
  '0 100 switch 2 16 0 /dev/A 0 /dev/B',
  '0 100 switch 2 16 0 /dev/A 0 /dev/B 0 0',
  '0 100 switch 1 16 0 /dev/A x',
  '0 100 switch 1 16 0 /dev/A 18446744073709551624',
  '0 100 switch 1 16 0 /dev/nosuch x',
  '0 100 switch 2 16 0 /dev/A 0 /dev/B 3997',
];

const wraps =
  'The kernel drops what does not fit into 64 (or 32) bits; here such a number is refused';
const wholeRange =
  'The kernel checks only the length of the row against the device; here all that it uses';

const backslash =
  'dmsetup doubles each backslash; here, as for the kernel itself, it takes the next character as it is';

/** Answered differently, for a reason. */
const different: readonly (readonly [table: string, reason: string])[] = [
  ['0 100 linear /dev/A \\ 8', backslash],
  ['0 100 linear \\/dev\\/A 8', backslash],
  [
    '0 100 linear /dev/mapper/t 0',
    'Refused by both: dmsetup makes the node later, here the name is known',
  ],
  ['0 4104 unstriped 2 8 0 /dev/A 0', wholeRange],

  ['0 100 linear /dev/A 18446744073709551624', wraps],
  ['0 100 switch 4294967297 16 0 /dev/A 0', wraps],
  [
    '0 100 linear /dev/A 9223372036854775808',
    'Refused by both: there for the size, here as a number',
  ],
  [
    '0 18014398509481983 zero',
    'Sizes end at 2^44 sectors (8 PiB) here, so that bytes are exact numbers',
  ],
  [
    '0 17592186044416 zero',
    'Sizes end at 2^44 sectors (8 PiB) here, so that bytes are exact numbers',
  ],
  [
    '0 100 linear /dev/A 8#comment',
    'A # inside a word belongs to the word here, since files are named so',
  ],
  ['0 100 linear /etc/passwd 0', 'Regular files are devices here'],
  [
    '0 64 unstriped 2 8 2 /dev/A 0',
    'The kernel lets an index equal to the number of stripes through',
  ],
  ['0 64 unstriped 1 8 5 /dev/A 0', 'The kernel checks no index when there is one stripe'],
  ['0 4096 unstriped 2 128 1 /dev/A 0', wholeRange],
  ['0 4 unstriped 2 4 1 /dev/K 0', wholeRange],
];

const single = (text: string): TableCase => ({ steps: [{ run: 'create', text }] });

export const goodCases: readonly TableCase[] = [...good, ...goodFaults].map(single);
export const badCases: readonly TableCase[] = [...bad, ...badFaults, ...badLogWrites].map(single);
export const allCases: readonly TableCase[] = [
  ...goodCases,
  ...badCases,
  ...[...different, ...differentFaults].map(([text, differs]) => ({ ...single(text), differs })),
  ...scripts,
  ...logWritesScripts,
];
