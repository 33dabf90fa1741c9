/** `devmapper crashtest`, put together: where the log comes from, the search, and what is told of it. */

import { closeSync, openSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { createPrng, randomSeed } from '../../base/prng.ts';
import { saveLogFile } from '../../crashtest/log-file.ts';
import { type CrashReport, junitReport, reportOf } from '../../crashtest/report.ts';
import { reportText } from '../../crashtest/report-text.ts';
import { type SearchResult, type Seat, searchStates } from '../../crashtest/search.ts';
import { ShellCheck } from '../../crashtest/shell-check.ts';
import { Stage } from '../../crashtest/stage.ts';
import { StateDisk } from '../../crashtest/state-disk.ts';
import { StateImages } from '../../crashtest/state-image.ts';
import { because, CommandError, usageError } from '../failure.ts';
import { listenForStop } from '../stop-signals.ts';
import { againCommand } from './again.ts';
import type { CrashtestOptions } from './crashtest-command.ts';
import { bringBack } from './one-state.ts';
import { Progress } from './progress.ts';
import { COULD_NOT_RUN, diskEnvironment, type LogSource, openSource } from './source.ts';

const FOUND = 1;

/** Resolves with the exit status. */
export async function crashtest(options: CrashtestOptions): Promise<number> {
  checkOptions(options);
  try {
    checkWritable(options);
    return await run(options);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(because(error), { status: COULD_NOT_RUN, cause: error });
  }
}

function checkOptions({ log, workload, size, image, setup, check, state, save }: CrashtestOptions) {
  if ((log === undefined) === (workload === undefined)) {
    throw usageError('Cannot test: expected --workload or --log, and not both');
  }
  if (size !== undefined && image !== undefined) {
    throw usageError('Cannot test: --size is for a blank disk, --image has a size of its own');
  }
  if (log === undefined && size === undefined && image === undefined) {
    throw usageError('Cannot test: expected --size or --image: the disk that the workload writes');
  }
  if (setup !== undefined && log !== undefined) {
    throw usageError('Cannot test: --setup prepares for a workload, and --log has none');
  }
  if (check === undefined && state === undefined) throw usageError('Cannot test: expected --check');
  if (save !== undefined && state === undefined) throw usageError('Cannot save: expected --state');
  if (state !== undefined && log === undefined) {
    throw usageError('Cannot bring a state back: expected --log, the log that it is a state of');
  }
}

/** Nobody wants to hear of a missing folder after an hour of checks. */
function checkWritable({ keep, json, junit }: CrashtestOptions): void {
  const paths = { keep, junit, json: json === '-' ? undefined : json };
  for (const [name, path] of Object.entries(paths)) {
    if (path === undefined) continue;
    try {
      // The log has what was on the disk.
      closeSync(openSync(path, 'a', name === 'keep' ? 0o600 : 0o666));
    } catch (error) {
      throw usageError(`Cannot write to ${path}, given with --${name}: ${because(error)}`);
    }
  }
}

async function run(options: CrashtestOptions): Promise<number> {
  const interrupt = new AbortController();
  const stop = listenForStop({
    waitingFor: () => 'what is under way',
    force: () => process.exit(COULD_NOT_RUN),
    say,
    forceAtSecond: true,
  });
  void stop.stopped.then(() => interrupt.abort());
  try {
    return await test(options, interrupt.signal);
  } finally {
    stop.dispose();
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function test(options: CrashtestOptions, signal: AbortSignal): Promise<number> {
  await using stage = await Stage.open({ files: options.device });
  if (stage.obstacle !== null) say(`$DEVMAPPER_DEVICE is not set: ${stage.obstacle}`);
  using source = await openSource(options, { stage, signal, say });
  const images = new StateImages(source.log, source.base);
  if (options.state !== undefined) {
    return await bringBack(options, options.state, { stage, images, signal });
  }
  const seed = options.seed === 'random' ? randomSeed() : options.seed;
  const result = await search(options, { stage, images, source, seed, signal });
  const report = reportOf(images.windows, result, { seed });
  const logPath = await keepLog(options, source, report);
  const commandOf = (state: string) => againCommand(options, logPath, state);
  const output = options.json === '-' ? process.stderr : process.stdout;
  output.write(reportText(report, ({ state }) => commandOf(state)));
  writeReports(options, report, commandOf);
  if (report.failures.length > 0) return FOUND;
  return result.ended === 'interrupted' ? COULD_NOT_RUN : 0;
}

interface Parts {
  stage: Stage;
  images: StateImages;
  source: LogSource;
  seed: number;
  signal: AbortSignal;
}

async function search(options: CrashtestOptions, parts: Parts): Promise<SearchResult> {
  const { images, source, seed, signal } = parts;
  const { stderr } = process;
  const target = { write: (text: string) => stderr.write(text), isTerminal: stderr.isTTY };
  const progress = new Progress(target, options.budget);
  const checks: ShellCheck[] = [];
  const seats: Seat[] = [];
  const jobCount = options.jobs ?? availableParallelism();
  for (let job = 1; job <= jobCount; job += 1) {
    const { seat, check } = await openSeat(options, parts, `job${job}`);
    checks.push(check);
    seats.push(seat);
  }
  try {
    return await searchStates({
      images,
      seats,
      prng: createPrng(seed),
      clock: systemClock,
      tearSectors: options.tear === 'none' ? null : Number(options.tear) / 512,
      budget: options.budget,
      firstPoint: source.firstPoint,
      failureLimit: options.failures,
      signal,
      ...(!options.quiet && { onProgress: (now) => progress.report(now) }),
    });
  } finally {
    progress.end();
    for (const check of checks) check[Symbol.dispose]();
  }
}

async function openSeat(
  { check: command = '', timeout }: CrashtestOptions,
  { stage, images, signal }: Parts,
  name: string,
): Promise<{ seat: Seat; check: ShellCheck }> {
  const disk = new StateDisk({ sizeSectors: images.log.sizeSectors, operand: name });
  const environment = diskEnvironment(await stage.add(name, disk));
  const outputPath = join(stage.folder, `${name}.output`);
  const check = new ShellCheck({
    command,
    environment,
    outputPath,
    timeoutMs: timeout,
    signal,
  });
  const seat: Seat = async (state) => {
    disk.insert(state.image);
    const verdict = await check.look(state);
    disk.insert(null);
    return verdict;
  };
  return { seat, check };
}

/** Where the log is now; null: nobody needs it any more. */
async function keepLog(
  { keep, log }: CrashtestOptions,
  source: LogSource,
  { failures }: CrashReport,
): Promise<string | null> {
  if (keep === undefined && (log !== undefined || failures.length === 0)) {
    return log === undefined ? null : resolve(log);
  }
  const name = `devmapper-crashtest-${process.pid}-${systemClock.wallMs()}.log`;
  const path = resolve(keep ?? join(tmpdir(), name));
  if (log !== undefined && path === resolve(log)) return path;
  await saveLogFile(source.log, path);
  return path;
}

function writeReports(
  { json, junit }: CrashtestOptions,
  report: CrashReport,
  commandOf: (state: string) => string,
): void {
  const failures = report.failures.map((each) => ({ ...each, again: commandOf(each.state) }));
  const text = `${JSON.stringify({ ...report, failures }, null, 2)}\n`;
  if (json === '-') process.stdout.write(text);
  else if (json !== undefined) writeFileSync(json, text);
  if (junit !== undefined) writeFileSync(junit, junitReport(report, commandOf));
}
