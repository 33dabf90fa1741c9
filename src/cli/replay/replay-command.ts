/** `devmapper replay`: its words and its help. The work is in replay.ts, loaded when asked for. */

import { type Command, InvalidArgumentError } from 'commander';
import { type ReplayOptions, readCheckTime, readNumber } from './options.ts';

const EXAMPLES = `
LOG is what the target log-writes or qemu's blklogwrites wrote. Without --replay, --find or --num-entries the entries are listed.
The entry that ends a range (--end-mark, --next-flush, --next-fua, --limit; the first of them) belongs to it. Sectors have 512 bytes.

Examples:
  devmapper replay log.img
  devmapper replay log.img --replay disk.img --end-mark mkfs
      the disk as it was at the mark; disk.img begins as the logged disk began: usually as zeros
  devmapper replay log.img --replay disk.img --start-mark mkfs --fsck 'e2fsck -fn disk.img' --check flush
      goes on from there, and checks at every flush; the command finds the image in $DEVMAPPER_REPLAY
  devmapper replay log.img --find --next-fua --start-entry 10
  devmapper replay log.img --json | jq '.entries[] | select(.kind == "mark")'

Exit status: 0 done, 1 not found or something failed, 2 the command line is wrong, 3 the check failed.`;

export function addReplayCommand(program: Command): void {
  program
    .command('replay')
    .description('list a log of log-writes, or replay it onto a disk')
    .argument('[log]', 'the log: a file or a block device')
    .option('--log <file>', 'the log, as replay-log takes it')
    .option('--replay <image>', 'write what the log says to this image, disk or NBD URI')
    .option('--limit <number>', 'at most so many entries', number)
    .option('--next-flush', 'up to the next flush')
    .option('--next-fua', 'up to the next write with FUA')
    .option('--start-entry <entry>', 'begin with this entry', number)
    .option('--start-mark <mark>', 'begin behind this mark')
    .option('--end-mark <mark>', 'up to this mark')
    .option('--find', 'print the number of the entry that the other options lead to')
    .option('--num-entries', 'print how many entries there are')
    .option('--no-discard', 'leave discards out')
    .option('--fsck <command>', 'run it between entries (through the shell), stop if it fails')
    .option('--check <when>', 'when: flush, fua, mark, or every so many entries', checkTime)
    .option('--start-sector <sector>', 'leave out what ends before this sector', number)
    .option('--end-sector <sector>', 'leave out what begins behind this sector', number)
    .option('--past-count', 'also entries that the super block does not count, after a crash')
    .option('--force', 'although the log is cut short, or the disk too small')
    .option('--json', 'print one line of JSON')
    .option('-v, --verbose', 'print what is replayed; twice: also what is left out', increase, 0)
    .addHelpText('after', EXAMPLES)
    .action(async (log: string | undefined, options: ReplayOptions) => {
      const { replay } = await import('./replay.ts');
      process.exitCode = await replay(log, options);
    });
}

function number(text: string): number {
  const value = readNumber(text);
  if (value === null) throw new InvalidArgumentError('Expected a whole number.');
  return value;
}

function checkTime(text: string) {
  const time = readCheckTime(text);
  if (time !== null) return time;
  throw new InvalidArgumentError('Expected flush, fua, mark or a number above 0.');
}

function increase(_: string, before: number): number {
  return before + 1;
}
