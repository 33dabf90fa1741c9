/**
 * What is done to flakey and delay devices in a kernel and here. Disks A, B and C have 64 sectors of 0xaa, 0xbb and 0xcc; what is
 * written is 0x55. Steps: `read|write|discard|zero SECTOR COUNT`, `fua SECTOR COUNT` (a write), `flush`; with `hold` in front they are not
 * waited for, and answer at `wait`. `held N` prints the status once so many are held.
 */

export interface FaultIoCase {
  /** Created in this order, removed in the other; the last one is what the steps are about. */
  devices: readonly (readonly [name: string, table: string])[];
  steps: readonly string[];
}

export interface FaultIoAnswer {
  /** For each step `ok`, `EIO`, what was read, or the status. Bytes as runs: `aa*4095 11*1`. */
  answers: string[];
  /** Of A, B and C at the end. */
  disks: string[];
}

const EVERY_KIND = [
  'read 0 8',
  'write 0 8',
  'write 8 1',
  'fua 10 2',
  'flush',
  'discard 16 8',
  'zero 24 8',
  'read 0 8',
  'read 24 8',
  'read 40 8',
];

function flakey(words: string, steps: readonly string[] = EVERY_KIND): FaultIoCase {
  return { devices: [['t', `0 56 flakey A 8 ${words}`]], steps };
}

const WITHOUT_ZERO = EVERY_KIND.filter((step) => !step.startsWith('zero'));

/** A flush that gets to `low` fails. */
const FAILING = ['low', '0 56 flakey A 8 0 1 1 error_writes'] as const;

function flushOver(table: string): FaultIoCase {
  return { devices: [FAILING, ['t', table]], steps: ['flush'] };
}

export const faultIoCases: readonly FaultIoCase[] = [
  flakey('100000 1'),
  flakey('0 1'),
  flakey('0 1 1 error_reads'),
  flakey('0 1 1 error_writes'),
  flakey('0 1 1 drop_writes'),
  flakey('0 1 2 error_reads drop_writes'),
  flakey('0 1 5 corrupt_bio_byte 5 r 17 0'),
  flakey('0 1 5 corrupt_bio_byte 5 w 17 0', WITHOUT_ZERO),
  flakey('0 1 5 corrupt_bio_byte 4096 w 17 0', WITHOUT_ZERO),
  flakey('0 1 5 corrupt_bio_byte 513 w 17 131072', WITHOUT_ZERO),
  flakey('0 1 5 corrupt_bio_byte 1 w 17 34817', WITHOUT_ZERO),
  flakey('0 1 5 corrupt_bio_byte 1 r 17 2048'),
  flakey('0 1 5 corrupt_bio_byte 1 r 17 1'),
  flakey('0 1 6 error_reads corrupt_bio_byte 5 r 17 0'),
  flakey('100000 1 5 corrupt_bio_byte 5 r 17 0'),
  flushOver('0 56 linear /dev/mapper/low 0'),
  flushOver('0 56 flakey /dev/mapper/low 0 0 1 1 drop_writes'),
  flushOver('0 56 flakey /dev/mapper/low 0 0 1 1 error_reads'),
  flushOver('0 56 flakey /dev/mapper/low 0 100000 1 1 drop_writes'),
  flushOver('0 56 delay /dev/mapper/low 0 0 B 0 0'),
  flushOver('0 56 delay B 0 0 /dev/mapper/low 0 0'),
  flushOver('0 56 delay /dev/mapper/low 0 0 /dev/mapper/low 0 0 B 0 0'),
  flushOver('0 56 delay B 0 0 B 0 0 /dev/mapper/low 0 0'),
  { devices: [['t', '0 48 delay A 0 0 B 8 0 C 0 0']], steps: EVERY_KIND },
  { devices: [['t', '0 48 delay A 0 1 B 8 2']], steps: EVERY_KIND },
  {
    devices: [['t', '0 48 delay A 0 600000 B 8 600000 C 0 600000']],
    steps: [
      'hold read 0 8',
      'hold read 8 8',
      'hold write 0 8',
      'hold discard 16 8',
      'hold flush',
      'held 5',
      'suspend',
      'held 0',
      'wait',
      'resume',
      'hold write 24 8',
      'held 1',
      'suspend',
      'wait',
      'resume',
    ],
  },
];
