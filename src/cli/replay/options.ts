/** What the words of `devmapper replay` mean. Options that replay-log has are named as there. */

import { usageError } from '../failure.ts';

export interface ReplayOptions {
  log?: string;
  replay?: string;
  find?: boolean;
  numEntries?: boolean;
  limit?: number;
  startEntry?: number;
  startMark?: string;
  endMark?: string;
  nextFlush?: boolean;
  nextFua?: boolean;
  /** false: `--no-discard`. */
  discard?: boolean;
  startSector?: number;
  endSector?: number;
  fsck?: string;
  check?: CheckTime;
  pastCount?: boolean;
  force?: boolean;
  json?: boolean;
  verbose: number;
}

/** When the check runs: behind entries of a kind, or every so many entries. */
export type CheckTime = 'flush' | 'fua' | 'mark' | number;

/** Decimal, or hexadecimal with 0x, as replay-log reads them. */
export function readNumber(text: string): number | null {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

export function readCheckTime(text: string): CheckTime | null {
  if (text === 'flush' || text === 'fua' || text === 'mark') return text;
  const count = readNumber(text);
  return count === 0 ? null : count;
}

/** Throws a CommandError for what does not go together. The log's path otherwise. */
export function checkOptions(operand: string | undefined, options: ReplayOptions): string {
  const { log = operand, replay, fsck, check, find, numEntries } = options;
  if (log === undefined) {
    throw usageError('Which log? None is named', 'devmapper replay LOG, or --log LOG');
  }
  if (operand !== undefined && options.log !== undefined && operand !== options.log) {
    throw usageError(`Two logs are named: "${operand}" and "${options.log}"`);
  }
  if ((fsck === undefined) !== (check === undefined)) {
    const [is, misses] = fsck === undefined ? ['--check', '--fsck'] : ['--fsck', '--check'];
    throw usageError(
      `${is} needs ${misses}`,
      `--fsck 'e2fsck -fn disk.img' --check flush: the command, and behind which entries it runs`,
    );
  }
  if (fsck !== undefined && replay === undefined) {
    throw usageError('--fsck needs --replay', 'it checks what was replayed onto an image');
  }
  if (options.startEntry !== undefined && options.startMark !== undefined) {
    throw usageError('--start-entry and --start-mark both say where to begin: give one');
  }
  const modes = [replay !== undefined, find === true, numEntries === true];
  if (modes.filter(Boolean).length > 1) {
    throw usageError('--replay, --find and --num-entries do different things: give one');
  }
  return log;
}
