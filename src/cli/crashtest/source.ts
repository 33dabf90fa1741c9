/** Where the log of writes comes from: a workload that runs now, or a file. */

import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { type BaseImage, openBase } from '../../crashtest/base-image.ts';
import type { CrashLog } from '../../crashtest/crash-log.ts';
import { openLogFile } from '../../crashtest/log-file.ts';
import { MarkPipe } from '../../crashtest/mark-pipe.ts';
import { RecordingDisk } from '../../crashtest/recording-disk.ts';
import type { Stage, StagedDisk } from '../../crashtest/stage.ts';
import { CommandError, usageError } from '../failure.ts';
import type { CrashtestOptions } from './crashtest-command.ts';
import { runCommand } from './run-command.ts';

export const COULD_NOT_RUN = 2;

export interface LogSource extends Disposable {
  base: BaseImage;
  log: CrashLog;
  /** What came before is not tested. */
  firstPoint: number;
}

/** The environment in which a program finds the disk. */
export function diskEnvironment({ uri, path }: StagedDisk): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, DEVMAPPER_NBD: uri };
  delete environment['DEVMAPPER_DEVICE'];
  if (path !== null) environment['DEVMAPPER_DEVICE'] = path;
  return environment;
}

export interface SourceParts {
  stage: Stage;
  /** Ends the workload. */
  signal: AbortSignal;
  say: (line: string) => void;
}

export async function openSource(
  options: CrashtestOptions,
  parts: SourceParts,
): Promise<LogSource> {
  const source =
    options.log === undefined
      ? await record(options, parts)
      : await readLog(options, options.log, parts.say);
  if (options.from === undefined) return source;
  return { ...source, firstPoint: findPoint(source.log, options.from) };
}

async function readLog(
  { image, size }: CrashtestOptions,
  path: string,
  say: (line: string) => void,
): Promise<LogSource> {
  const opened = await openLogFile(path);
  if (opened.problem !== null) say(`The end of ${path} is missing: ${opened.problem}`);
  const { sizeSectors } = opened.log;
  const base = openBase(image, size === undefined ? sizeSectors : size / SECTOR_BYTES);
  if (base.sizeSectors < sizeSectors) {
    const bytes = sectorsToBytes(sizeSectors);
    throw usageError(
      `Cannot use ${path}: it has writes up to byte ${bytes}, the disk only ${sectorsToBytes(base.sizeSectors)}`,
    );
  }
  return {
    base,
    log: { ...opened.log, sizeSectors: base.sizeSectors },
    firstPoint: 0,
    [Symbol.dispose]: () => {
      base.close();
      opened[Symbol.dispose]();
    },
  };
}

/** A mark's place is just behind it. */
function findPoint({ entries }: CrashLog, word: string): number {
  const isEntry = /^\d{1,9}$/.test(word) && Number(word) <= entries.length;
  const mark = entries.marks.find((number) => entries.at(number).text === word);
  if (mark !== undefined) return mark + 1;
  if (isEntry) return Number(word);
  throw usageError(
    `Cannot begin at "${word}": the log has no such mark, and ${entries.length} entries`,
  );
}

async function record(options: CrashtestOptions, parts: SourceParts): Promise<LogSource> {
  const { image, size = 0 } = options;
  const base = openBase(image, size / SECTOR_BYTES);
  const disk: RecordingDisk = new RecordingDisk({
    base,
    clock: systemClock,
    beforeRequest: () => marks.drain(),
  });
  const close = () => {
    base.close();
    disk[Symbol.dispose]();
  };
  using marks = new MarkPipe(join(parts.stage.folder, 'marks'), (text) => disk.mark(text));
  try {
    const firstPoint = await fill(disk, marks, options, parts);
    return { base, log: disk.log, firstPoint, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Runs the commands. Answers how many entries the setup made. */
async function fill(
  disk: RecordingDisk,
  marks: MarkPipe,
  { setup, workload = '' }: CrashtestOptions,
  { stage, signal }: SourceParts,
): Promise<number> {
  const environment = {
    ...diskEnvironment(await stage.add('disk', disk)),
    DEVMAPPER_MARKS: marks.path,
  };
  const runToEnd = async (what: string, command: string) => {
    // What it says goes to standard error: standard output is the report's.
    const ending = await runCommand(command, { environment, signal, stdio: ['inherit', 2, 2] });
    marks.drain();
    if (signal.aborted) throw couldNot(`the ${what} was interrupted`, command);
    // Which the command saw as an I/O error.
    if (disk.problem !== null) throw disk.problem;
    const how = typeof ending === 'number' ? `it ended with status ${ending}` : ending;
    if (ending !== 0) throw couldNot(`the ${what} failed: ${how}`, command);
  };
  let firstPoint = 0;
  if (setup !== undefined) {
    await runToEnd('setup', setup);
    disk.flush();
    firstPoint = disk.log.entries.length;
  }
  await runToEnd('workload', workload);
  disk.finish();
  return firstPoint;
}

function couldNot(reason: string, command: string): CommandError {
  return new CommandError(`Cannot test: ${reason}`, { status: COULD_NOT_RUN, details: [command] });
}
