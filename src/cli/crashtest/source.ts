/** Where the log of writes comes from: a workload that runs now, or a file. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { NO_DATA, Op, recycleBio, takeBio } from '../../core/bio.ts';
import { type BaseImage, blankImage, fileImage } from '../../crashtest/base-image.ts';
import type { CrashLog } from '../../crashtest/crash-log.ts';
import { openLogFile } from '../../crashtest/log-file.ts';
import { MarkPipe } from '../../crashtest/mark-pipe.ts';
import { RecordingDisk } from '../../crashtest/recording-disk.ts';
import type { Stage, StagedDisk } from '../../crashtest/stage.ts';
import { CommandError, usageError } from '../failure.ts';
import type { CrashtestOptions } from './crashtest-command.ts';

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
  const base =
    image === undefined
      ? blankImage(size === undefined ? sizeSectors : size / SECTOR_BYTES)
      : fileImage(image);
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
  const mark = entries.findIndex(({ kind, text }) => kind === 'mark' && text === word);
  if (mark >= 0) return mark + 1;
  if (isEntry) return Number(word);
  throw usageError(
    `Cannot begin at "${word}": the log has no such mark, and ${entries.length} entries`,
  );
}

async function record(
  options: CrashtestOptions,
  { stage, signal }: SourceParts,
): Promise<LogSource> {
  const { image, size = 0, setup, workload = '' } = options;
  const base = image === undefined ? blankImage(size / SECTOR_BYTES) : fileImage(image);
  const disk: RecordingDisk = new RecordingDisk({
    base,
    clock: systemClock,
    beforeRequest: () => marks.drain(),
  });
  using marks = new MarkPipe(join(stage.folder, 'marks'), (text) => disk.mark(text));
  const environment = {
    ...diskEnvironment(await stage.add('disk', disk)),
    DEVMAPPER_MARKS: marks.path,
  };
  let firstPoint = 0;
  if (setup !== undefined) {
    await runToEnd('setup', setup, { environment, signal });
    marks.drain();
    flush(disk);
    firstPoint = disk.log.entries.length;
  }
  await runToEnd('workload', workload, { environment, signal });
  marks.drain();
  return { base, log: disk.log, firstPoint, [Symbol.dispose]: () => base.close() };
}

/** What the setup wrote is on the disk, whatever it asked for. The disk ends it at once. */
function flush(disk: RecordingDisk): void {
  const bio = takeBio();
  bio.op = Op.flush;
  bio.device = disk;
  bio.sector = 0;
  bio.sectorCount = 0;
  bio.data = NO_DATA;
  bio.onEnd = recycleBio;
  disk.submit(bio);
}

/** What it says goes to standard error: standard output is the report's. */
async function runToEnd(
  what: string,
  command: string,
  { environment, signal }: { environment: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<void> {
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['inherit', 2, 2], env: environment });
  const end = () => child.kill('SIGTERM');
  signal.addEventListener('abort', end);
  const ending = await new Promise<string | number>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (status, killedBy) => resolve(status ?? killedBy ?? 'unknown'));
  });
  signal.removeEventListener('abort', end);
  if (ending === 0 && !signal.aborted) return;
  const how = typeof ending === 'number' ? `it ended with status ${ending}` : ending;
  throw new CommandError(`Cannot test: the ${what} failed: ${how}`, {
    status: COULD_NOT_RUN,
    details: [command],
  });
}
