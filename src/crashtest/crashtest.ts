/** The entry `devmapper/crashtest`: a test with power cuts, as functions of one process. `devmapper crashtest` is the same for programs. */

import { systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { createPrng } from '../base/prng.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { type BaseImage, openBase } from './base-image.ts';
import type { CrashLog } from './crash-log.ts';
import { parseState } from './crash-state.ts';
import { CrashtestDisk } from './crashtest-disk.ts';
import { type CheckFunction, FunctionCheck } from './function-check.ts';
import { openLogFile, saveLogFile } from './log-file.ts';
import { RecordingDisk } from './recording-disk.ts';
import { type CrashReport, type ReportedFailure, reportOf } from './report.ts';
import { reportText } from './report-text.ts';
import {
  type BadState,
  type SearchBudget,
  type SearchProgress,
  type SearchResult,
  type Seat,
  searchStates,
} from './search.ts';
import { Stage } from './stage.ts';
import { StateImages } from './state-image.ts';

export { DmError, FormatError } from '../base/errors.ts';
export type { CrashtestDisk } from './crashtest-disk.ts';
export type { CheckContext, CheckFunction } from './function-check.ts';
export type { ReportedWrite } from './report.ts';
export type { SearchProgress } from './search.ts';

export interface WorkloadContext {
  /** Says what is promised from here on: a check of any later power cut finds it as its `mark`. */
  mark(text: string): void;
  signal: AbortSignal;
}

export type WorkloadFunction = (disk: CrashtestDisk, context: WorkloadContext) => unknown;

export interface CrashtestOptions {
  /** Of a blank disk: a multiple of 512. */
  sizeBytes?: number;
  /** Instead: a raw image that is on the disk at the start. It is never written. */
  image?: string;
  /** Runs before the workload, and what it wrote is durable: power cuts come later. */
  setup?: WorkloadFunction;
  /** Writes to the disk. What it throws, `crashtest` throws. */
  workload?: WorkloadFunction;
  /** Instead of a workload: a log that was kept, or that dm-log-writes or qemu's blklogwrites wrote. */
  log?: string;
  check: CheckFunction;
  /** Only this one, of `log`. */
  state?: string;
  /** Of the samples. Default 1: the same states for the same writes. */
  seed?: number;
  /** Default: 2000 states. */
  budget?: SearchBudget;
  /** What a disk writes whole or not at all; null: every write. Default 512. */
  tearBytes?: 512 | 4096 | null;
  /** Ends after so many different bad states. Default 1. */
  failureLimit?: number;
  /** Checks at a time. Default 1: more pay where checks wait for other processes. */
  jobs?: number;
  /** A check that takes longer has failed. Default 60,000. */
  checkTimeoutMs?: number;
  /** Disks are files too, where FUSE is there, for other processes. Default false. */
  files?: boolean;
  /** Where the log goes if a state is bad. Default: nowhere. */
  keepLog?: string;
  signal?: AbortSignal;
  onProgress?: (progress: SearchProgress) => void;
}

export interface CrashtestFailure extends ReportedFailure {
  /** What the check threw. */
  error: unknown;
}

export interface CrashtestResult extends Omit<CrashReport, 'failures'> {
  failures: CrashtestFailure[];
  /** All of it for people. */
  text: string;
}

/**
 * Runs the workload on a disk that records every write, then the check on the disk as it may be after a power cut at any moment of that. Resolves
 * with what was found; rejects where nothing could be tested.
 *
 * @example
 * ```ts
 * import { crashtest } from 'devmapper/crashtest';
 *
 * const { failures } = await crashtest({
 *   sizeBytes: 1024 * 1024,
 *   async workload(disk, { mark }) {
 *     await disk.write({ offsetBytes: 4096, data: new Uint8Array(4096).fill(7) });
 *     mark('written'); // promised, and never flushed
 *   },
 *   async check(disk, { mark }) {
 *     const [first] = await disk.read({ offsetBytes: 4096, lengthBytes: 4096 });
 *     if (mark === 'written' && first !== 7) throw new Error('lost');
 *   },
 * });
 * console.log(failures.length); // 1
 * ```
 */
export async function crashtest(options: CrashtestOptions): Promise<CrashtestResult> {
  checkOptions(options);
  const { seed = 1, keepLog, log: givenLog = null } = options;
  await using stage = await Stage.open({ files: options.files ?? false });
  using source = await openSource(options, stage);
  const images = new StateImages(source.log, source.base);
  const result = await look(options, { stage, images, firstPoint: source.firstPoint });
  const report = reportOf(images.windows, result, { seed });
  if (keepLog !== undefined && result.failures.length > 0) await saveLogFile(source.log, keepLog);
  const logPath = keepLog ?? givenLog;
  const failures = report.failures.map((failure, index) => ({
    ...failure,
    error: result.failures[index]!.cause,
  }));
  const again = ({ state }: ReportedFailure) =>
    logPath === null ? null : JSON.stringify({ log: logPath, state });
  return { ...report, failures, text: reportText(report, again) };
}

function refuse(reason: string): never {
  throw new DmError('EINVAL', `Cannot test: ${reason}`);
}

function checkOptions(options: CrashtestOptions): void {
  const { sizeBytes, image, workload, log, state, setup } = options;
  if ((workload === undefined) === (log === undefined)) refuse('expected workload or log');
  if (setup !== undefined && workload === undefined) refuse('setup is of a workload, log has none');
  if (sizeBytes !== undefined && image !== undefined) refuse('image has a size of its own');
  if (log === undefined && sizeBytes === undefined && image === undefined) {
    refuse('expected sizeBytes or image');
  }
  if (state !== undefined && log === undefined) refuse('state is one of a log: expected log');
  checkNumbers(options);
  if (sizeBytes === undefined) return;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % SECTOR_BYTES !== 0) {
    refuse(`sizeBytes must be a multiple of ${SECTOR_BYTES} above 0, not ${sizeBytes}`);
  }
}

function checkNumbers({ budget, jobs, failureLimit, checkTimeoutMs }: CrashtestOptions): void {
  const { stateCount, timeMs } = budget ?? {};
  for (const [name, value] of Object.entries({ jobs, failureLimit, stateCount })) {
    if (value === undefined || (Number.isSafeInteger(value) && value > 0)) continue;
    refuse(`${name} must be a whole number above 0, not ${value}`);
  }
  for (const [name, value] of Object.entries({ timeMs, checkTimeoutMs })) {
    if (value === undefined || value > 0) continue;
    refuse(`${name} must be above 0, not ${value}`);
  }
}

interface Source extends Disposable {
  base: BaseImage;
  log: CrashLog;
  firstPoint: number;
}

async function openSource(options: CrashtestOptions, stage: Stage): Promise<Source> {
  return options.log === undefined
    ? await record(options, stage)
    : await readLog(options, options.log);
}

async function readLog({ image, sizeBytes }: CrashtestOptions, path: string): Promise<Source> {
  const opened = await openLogFile(path);
  const { sizeSectors } = opened.log;
  const base = openBase(image, sizeBytes === undefined ? sizeSectors : sizeBytes / SECTOR_BYTES);
  const close = () => {
    base.close();
    opened[Symbol.dispose]();
  };
  if (base.sizeSectors < sizeSectors) {
    close();
    const sizes = `${sizeSectors} sectors, the disk has ${base.sizeSectors}`;
    throw new DmError('EINVAL', `Cannot use ${path}: it has writes up to ${sizes}`);
  }
  const log = { ...opened.log, sizeSectors: base.sizeSectors };
  return { base, log, firstPoint: 0, [Symbol.dispose]: close };
}

async function record(options: CrashtestOptions, stage: Stage): Promise<Source> {
  const { image, sizeBytes = 0, setup, workload = () => {}, signal } = options;
  const base = openBase(image, sizeBytes / SECTOR_BYTES);
  const disk = new RecordingDisk({ base, clock: systemClock });
  const close = () => {
    base.close();
    disk[Symbol.dispose]();
  };
  try {
    const staged = await stage.add('disk', disk);
    const run = async (work: WorkloadFunction) => {
      await using volume = new CrashtestDisk('the disk', disk, staged);
      await runWorkload(work, volume, { disk, signal });
    };
    let firstPoint = 0;
    if (setup !== undefined) {
      await run(setup);
      disk.flush();
      firstPoint = disk.log.entries.length;
    }
    await run(workload);
    disk.finish();
    return { base, log: disk.log, firstPoint, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Rejects as it does, or as soon as the test is interrupted. */
async function runWorkload(
  work: WorkloadFunction,
  volume: CrashtestDisk,
  { disk, signal = new AbortController().signal }: RecordedRun,
): Promise<void> {
  signal.throwIfAborted();
  const interrupted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  interrupted.catch(() => {}); // Perhaps nobody waits any more.
  const context = { mark: (text: string) => disk.mark(text), signal };
  try {
    await Promise.race([(async () => work(volume, context))(), interrupted]);
  } catch (error) {
    throw disk.problem ?? error;
  }
  if (disk.problem !== null) throw disk.problem;
}

interface RecordedRun {
  disk: RecordingDisk;
  signal: AbortSignal | undefined;
}

interface Looking {
  stage: Stage;
  images: StateImages;
  firstPoint: number;
}

async function look(options: CrashtestOptions, looking: Looking): Promise<SearchResult> {
  const { check, jobs = 1, checkTimeoutMs: timeoutMs = 60_000, signal } = options;
  const { stage, images, firstPoint } = looking;
  const { sizeSectors } = images.log;
  const seats = Array.from({ length: jobs }, (_, index): Seat => {
    const name = `job${index + 1}`;
    const seat = new FunctionCheck({ check, stage, name, sizeSectors, timeoutMs, signal });
    return (state) => seat.look(state);
  });
  if (options.state !== undefined) return await lookOnce(options.state, images, seats[0]!);
  const { seed = 1, budget = { stateCount: 2000 }, tearBytes = 512 } = options;
  return await searchStates({
    images,
    seats,
    prng: createPrng(seed),
    clock: systemClock,
    tearSectors: tearBytes === null ? null : tearBytes / SECTOR_BYTES,
    budget,
    firstPoint,
    failureLimit: options.failureLimit ?? 1,
    ...(signal && { signal }),
    ...(options.onProgress && { onProgress: options.onProgress }),
  });
}

/** One state that is known already, as it is. */
async function lookOnce(word: string, images: StateImages, seat: Seat): Promise<SearchResult> {
  const { windows } = images;
  const state = parseState(windows, word);
  const mark = windows.markBefore(state.point);
  const startMs = systemClock.nowMs();
  const verdict = await seat({ word, point: state.point, image: images.build(state), mark });
  const failures: BadState[] = [];
  if (verdict?.isGood === false) {
    const { output, cause } = verdict;
    failures.push({
      state,
      side: 'survived',
      mark,
      output,
      cause,
      foundWord: word,
      isRepeatable: true,
    });
  }
  return {
    failures,
    stateCount: verdict === null ? 0 : 1,
    duplicateCount: 0,
    pointCount: 1,
    reachedPointCount: 1,
    elapsedMs: systemClock.nowMs() - startMs,
    ended: verdict === null ? 'interrupted' : 'found',
  };
}
