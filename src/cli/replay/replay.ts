/** `devmapper replay`: lists a write log, finds entries in it, or does to a disk what it says. */

import { statSync } from 'node:fs';
import { DmError, FormatError } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { type FileDisk, openFileDisk } from '../../devices/byte-disk.ts';
import { readWriteLog } from '../../formats/write-log/read-write-log.ts';
import type { WriteLog } from '../../formats/write-log/write-log.ts';
import { CommandError, FAILURE_STATUS } from '../failure.ts';
import { Progress } from '../luks/progress.ts';
import { checkError, type FailedCheck } from './check.ts';
import { type EntryRange, findRange } from './entry-range.ts';
import { entryLine, jsonPieces, summaryLine } from './entry-text.ts';
import { checkOptions, type ReplayOptions } from './options.ts';
import { ReplayDisk } from './replay-disk.ts';
import { neededBytes, type ReplayCounts, Replayer } from './replayer.ts';

/** Resolves with the exit status; throws a CommandError for what cannot be done. */
export async function replay(operand: string | undefined, options: ReplayOptions): Promise<number> {
  const path = checkOptions(operand, options);
  // Without a lock: who logs may still have it open, and it is only read.
  await using logDisk = await openLog(path);
  const log = await readLog(logDisk, options);
  if (options.numEntries) {
    checkWhole(log, path, options);
    await print(`${log.entryCount}\n`);
    return 0;
  }
  const range = findRange(log, options);
  if (options.find) return await find(range);
  if (options.replay !== undefined) {
    if (!range.isBounded) checkWhole(log, path, options);
    return await replayOnto(options.replay, { log, logDisk, range, options });
  }
  await list(log, range, options);
  if (!range.isBounded) checkWhole(log, path, options);
  return 0;
}

async function openLog(path: string): Promise<FileDisk> {
  try {
    return await openFileDisk(path, { readOnly: true, lock: 'none' });
  } catch (error) {
    if (!(error instanceof DmError) || error.code !== 'ENOENT') throw error;
    throw new CommandError(`Cannot open log "${path}": no such file`, {
      details: ['the log is the second device of a log-writes row, or log.filename of qemu'],
      cause: error,
    });
  }
}

async function readLog(disk: ByteDisk, { pastCount = false }: ReplayOptions): Promise<WriteLog> {
  try {
    return await readWriteLog(disk, { pastCount });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new CommandError(`"${disk.name}" is no write log: ${error.message}`, {
      details: ['a log begins with a super block: written at marks, FUA writes and the end'],
      cause: error,
    });
  }
}

function checkWhole(log: WriteLog, path: string, { force = false }: ReplayOptions): void {
  if (log.tear === null || force) return;
  const { offsetBytes, problem } = log.tear;
  throw new CommandError(
    `"${path}" is cut short: ${log.entryCount} of ${log.countedEntries} entries can be read`,
    {
      details: [
        `at byte ${offsetBytes}: ${problem.message}`,
        '--force goes on with the entries that are there; so does a range that ends before, such as --limit or --end-mark',
      ],
    },
  );
}

async function find({ end, isBounded }: EntryRange): Promise<number> {
  if (isBounded) {
    await print(`${end - 1}\n`);
    return 0;
  }
  process.stderr.write("devmapper: Couldn't find entry\n");
  return FAILURE_STATUS;
}

async function list(log: WriteLog, range: EntryRange, options: ReplayOptions): Promise<void> {
  if (options.json) {
    await printPieces(jsonPieces(log, range));
    return;
  }
  await print(`${summaryLine(log)}\n`);
  await printPieces(entryLines(log, range));
}

function* entryLines(log: WriteLog, { first, end }: EntryRange): Generator<string> {
  for (let entry = first; entry < end; entry += 1) yield `${entryLine(log, entry)}\n`;
}

const PRINTED_BYTES = 2 ** 16;

async function printPieces(pieces: Iterable<string>): Promise<void> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < PRINTED_BYTES) continue;
    await print(text);
    text = '';
  }
  await print(text);
}

/** Waits for a slow reader: a long list does not pile up. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}

interface ReplayJob {
  log: WriteLog;
  logDisk: ByteDisk;
  range: EntryRange;
  options: ReplayOptions;
}

async function replayOnto(operand: string, job: ReplayJob): Promise<number> {
  const { log, logDisk, range, options } = job;
  checkApart(logDisk.name, operand);
  const needed = neededBytes(log, range, options);
  await using disk = new ReplayDisk(operand);
  await disk.open(needed);
  checkSize(operand, disk.sizeBytes, needed, options);
  const progress = startProgress(operand, job);
  const replayer = new Replayer({
    log,
    logDisk,
    disk,
    operand,
    options,
    print: (line) => (options.json ? process.stderr : process.stdout).write(`${line}\n`),
    onProgress: progress.report,
  });
  let failedCheck: FailedCheck | null;
  try {
    failedCheck = await replayer.run(range);
  } finally {
    progress.stop();
  }
  await disk.close();
  await printOutcome(operand, job, { counts: replayer.counts, failedCheck });
  if (failedCheck === null) return 0;
  const run = { command: options.fsck!, image: operand };
  throw checkError(run, failedCheck, entryLine(log, failedCheck.entry));
}

interface Outcome {
  counts: ReplayCounts;
  failedCheck: FailedCheck | null;
}

async function printOutcome(
  operand: string,
  { range, options }: ReplayJob,
  { counts, failedCheck }: Outcome,
): Promise<void> {
  if (options.json) {
    await print(`${JSON.stringify({ replayed: operand, ...range, ...counts, failedCheck })}\n`);
  } else if (failedCheck === null) {
    const checks = counts.checkCount > 0 ? `, ${counts.checkCount} checks` : '';
    await print(
      `Replayed ${counts.entryCount} entries, ${formatBytes(counts.writtenBytes)}, onto ${operand}${checks}\n`,
    );
  }
}

/** A log that is written over while it is read would be gone. */
function checkApart(logPath: string, operand: string): void {
  const target = statSync(operand, { throwIfNoEntry: false });
  const log = statSync(logPath);
  if (target === undefined || target.dev !== log.dev || target.ino !== log.ino) return;
  throw new CommandError(`Cannot replay "${logPath}" onto itself`);
}

function checkSize(operand: string, hasBytes: number, needsBytes: number, o: ReplayOptions): void {
  if (hasBytes >= needsBytes || o.force) return;
  throw new CommandError(
    `"${operand}" is too small: it has ${hasBytes} bytes, the log writes up to byte ${needsBytes}`,
    {
      details: [
        `truncate -s ${needsBytes} ${operand} makes an image large enough`,
        '--force leaves out what lies behind its end',
      ],
    },
  );
}

/** Only where somebody sees it. */
function startProgress(operand: string, { log, range, options }: ReplayJob) {
  const quiet = { report: () => undefined, stop: () => undefined };
  if (process.stderr.isTTY !== true || options.json || options.verbose > 0) return quiet;
  let totalBytes = 0;
  for (let entry = range.first; entry < range.end; entry += 1) totalBytes += log.dataBytes(entry);
  const target = {
    write: (text: string) => void process.stderr.write(text),
    isTerminal: true,
  };
  const progress = new Progress({ device: operand, target });
  return {
    report: (doneBytes: number) => progress.report(doneBytes, totalBytes),
    stop: () => progress.stop(),
  };
}
