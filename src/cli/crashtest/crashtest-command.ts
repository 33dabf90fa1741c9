/** `devmapper crashtest`: its words and its help. The work is in crashtest.ts, loaded when asked for. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseSize } from '../luks/size-text.ts';

export interface Budget {
  stateCount?: number;
  timeMs?: number;
}

export interface CrashtestOptions {
  /** Bytes. */
  size?: number;
  image?: string;
  log?: string;
  setup?: string;
  workload?: string;
  check?: string;
  state?: string;
  from?: string;
  save?: string;
  budget: Budget;
  jobs?: number;
  seed: number | 'random';
  tear: '512' | '4096' | 'none';
  failures: number;
  /** Milliseconds. */
  timeout: number;
  device: boolean;
  keep?: string;
  json?: string;
  junit?: string;
  quiet?: boolean;
}

const EXPLANATION = `
Runs the workload on a disk that records every write, then makes the disk as it may be after a power cut - at every flush, FUA and mark, and in between: of
what was not flushed any part may be there, in any order, torn - and runs the check on each. A check that ends with another status than 0 has
found a bad state. What is reported: the fewest writes that make it fail, when they were, and the command that brings the state back.

Both commands are given to /bin/sh and find the disk in
  $DEVMAPPER_NBD      an NBD URI: for nbdcopy, qemu-img, qemu-io, nbdsh, fio ...
  $DEVMAPPER_DEVICE   a path, as of an image file, where FUSE is there
The workload can say how far it is: each line written to the pipe $DEVMAPPER_MARKS is a mark, and the check finds the last one before the power cut in
$DEVMAPPER_MARK (not set: there was none), so that it knows what was promised. The check may write to its disk (replay a journal, say): each gets its own,
and what it writes is gone afterwards. $DEVMAPPER_STATE names the state.

Exit status: 0 no bad state, 1 bad states, 2 it could not be run.

Examples:
  devmapper crashtest --size 64M --workload './write $DEVMAPPER_DEVICE' --check './verify $DEVMAPPER_DEVICE'
  devmapper crashtest --size 64M --setup 'mkfs.ext4 -q $DEVMAPPER_DEVICE' --workload ./work.sh --check 'e2fsck -fy $DEVMAPPER_DEVICE'
      the check of a journal that is replayed; what --setup writes is not tested
  devmapper crashtest --image disk.img --workload ./work.sh --check ./check.sh --budget 5m --seed random --junit crash.xml
      with what is on an image, which stays as it is
  devmapper crashtest --log writes.log --size 64M --check ./check.sh
      a log that dm-log-writes or qemu's blklogwrites recorded, instead of a workload
  devmapper crashtest --log crash.log --size 64M --check ./check.sh --state 412:405-407
      one state again; without --check it is served until Ctrl-C`;

export function addCrashtestCommand(program: Command): void {
  program
    .command('crashtest')
    .description('find out what a power cut does to what a program writes')
    .option(
      '--size <size>',
      'of a blank disk, e.g. 64M; with --log, of the disk that was logged',
      diskSize,
    )
    .option('--image <file>', 'what is on the disk at the start, raw; it is not written')
    .option('--log <file>', 'a write log instead of a workload')
    .option('--setup <command>', 'runs before the workload; power cuts come later')
    .option('--workload <command>', 'writes to the disk')
    .option('--check <command>', 'says, by its exit status, whether the disk is good')
    .option('--state <state>', 'only this state, as a report names it')
    .option('--from <mark>', 'no power cuts before this mark, or entry of the log')
    .option('--save <file>', 'with --state: writes the disk in that state to a raw image')
    .addOption(
      new Option('--budget <limit>', 'states to check, or for how long: 5000, 90s, 10m')
        .argParser(budget)
        .default({ stateCount: 2000 }, '2000'),
    )
    .option('-j, --jobs <count>', 'checks at a time; default: one for each processor', count)
    .option('--seed <seed>', 'of the samples: a number, or "random"', seed, 1)
    .addOption(
      new Option('--tear <bytes>', 'what a disk writes whole or not at all')
        .choices(['512', '4096', 'none'])
        .default('512'),
    )
    .option('--failures <count>', 'end after so many different bad states', count, 1)
    .addOption(
      new Option('--timeout <seconds>', 'for one check; one that takes longer has failed')
        .argParser(seconds)
        .default(60_000, '60'),
    )
    .option('--no-device', 'no FUSE: the disk is found in $DEVMAPPER_NBD only')
    .option('--keep <file>', 'keep the log there; else it is kept only if a state is bad')
    .option('--json <file>', 'write a report in JSON; "-": to standard output')
    .option('--junit <file>', 'write a report that CI systems read')
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', EXPLANATION)
    .action(async (options: CrashtestOptions) => {
      const { crashtest } = await import('./crashtest.ts');
      process.exitCode = await crashtest(options);
    });
}

function diskSize(text: string): number {
  const bytes = readSize(text);
  if (bytes > 0 && bytes % 512 === 0) return bytes;
  throw new InvalidArgumentError(`expected a multiple of 512 bytes above 0.`);
}

function readSize(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000 };

function budget(text: string): Budget {
  const [, digits = '', unit] = /^(\d{1,9})([smh]?)$/.exec(text) ?? [];
  if (digits === '' || Number(digits) === 0) {
    throw new InvalidArgumentError('expected a number of states, or a time as 90s, 10m or 1h.');
  }
  return unit === 's' || unit === 'm' || unit === 'h'
    ? { timeMs: Number(digits) * UNIT_MS[unit] }
    : { stateCount: Number(digits) };
}

const MOST = 1_000_000;

function count(text: string): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= MOST) return value;
  throw new InvalidArgumentError(`expected 1 to ${MOST}.`);
}

function seconds(text: string): number {
  return count(text) * 1000;
}

function seed(text: string): number | 'random' {
  if (text === 'random') return text;
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32) return Number(text);
  throw new InvalidArgumentError('expected a number below 2^32, or "random".');
}
