/** What is written through log-writes in a kernel and here: see device-job.ts. */

import { type DeviceJob, freshImages } from './device-job.ts';

const DISK_SECTORS = 2048;
const LOG_SECTORS = 4096;

/** Whole blocks of 4096 bytes, so that the same goes for both sizes of a log sector. */
const WRITES = [
  'put t 8 8 100000',
  'message t mark first',
  'put t 16 64 200000',
  'discard t 128 128',
  'put t 128 8 300000',
  'discard t 32 8',
  'flush t',
  'put t 0 8 400000',
  'put-synced t 8 8 500000',
  'zero t 256 16',
  `message t mark ${'x'.repeat(500)}`,
  'put t 2040 8 600000',
];

/** Durable at the end, with the log's own end. */
const END = ['remove t', 'flush O', 'flush C'];
const START = `start t 0 ${DISK_SECTORS} log-writes O C`;

const job = (steps: readonly string[]): DeviceJob => ({
  steps,
  images: freshImages([DISK_SECTORS, LOG_SECTORS]),
});

export const logWritesJobs = {
  /** Log sectors of 512 bytes. */
  small: job([START, ...WRITES, ...END]),
  large: job(['blocks 4096', START, ...WRITES, ...END]),
  /** A log of four sectors takes two marks and says so at the third. */
  full: job([
    'start log 0 4 linear C 0',
    START.replace(' C', ' mapper/log'),
    ...['a', 'b', 'c'].map((mark) => `message t mark ${mark}`),
    ...END,
  ]),
};

export type LogWritesJobName = keyof typeof logWritesJobs;
export const logWritesJobNames = Object.keys(logWritesJobs) as LogWritesJobName[];
