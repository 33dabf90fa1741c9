/** Runs the scripts of dmsetup-scripts/ in a real kernel, by real dmsetup on our daemon, and by our own commands; gives what each command did. */

import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolEnvironment } from '../../src/testing/tools.ts';
import { runInKernel } from './kernel.ts';

export interface CommandRecord {
  /** `03-linear: dmsetup table lin`, with a number behind the second of the same kind. */
  key: string;
  stdout: string;
  stderr: string;
  status: string;
}

export type Records = ReadonlyMap<string, CommandRecord>;

const scriptsFolder = fileURLToPath(new URL('./dmsetup-scripts', import.meta.url));
const program = fileURLToPath(new URL('../../bin/devmapper', import.meta.url));
const server = fileURLToPath(new URL('./cli-server.ts', import.meta.url));
const SIZES_MIB = [4, 4, 2];
const LIMIT_MS = 170_000;
const MIB = 2 ** 20;

export const scriptNames = readdirSync(scriptsFolder).filter((name) => /^\d/.test(name));

const byNumber = (left: string, right: string) =>
  Number(left.replace(/\D/g, '')) - Number(right.replace(/\D/g, ''));

/** Three disks as loop devices. The kernel under test gives its own the same numbers, so that only those need a common name. */
export class LoopDisks implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'devmapper-scripts-'));
  paths: string[];

  constructor() {
    this.paths = this.#attach();
    // Listed by number they must come in the order A, B, C; another program may have let go of a lower number just now.
    while (this.paths.join() !== this.paths.toSorted(byNumber).join()) {
      this.#detach();
      this.paths = this.#attach();
    }
  }

  #attach(): string[] {
    return SIZES_MIB.map((size, index) => {
      const image = join(this.folder, `${index}.img`);
      writeFileSync(image, '');
      truncateSync(image, size * MIB);
      return execFileSync('losetup', ['--show', '-f', image], { encoding: 'utf8' }).trim();
    });
  }

  #detach(): void {
    for (const path of this.paths) execFileSync('losetup', ['-d', path]);
  }

  /** The same text wherever the disks were attached: `/dev/loop5` is `/dev/loopA`, `7:5` is `7:A`. */
  withCommonNames(text: string): string {
    return this.paths.reduce((before, path, index) => {
      const number = path.replace('/dev/loop', '');
      const name = ['A', 'B', 'C'][index]!;
      return before.replaceAll(new RegExp(`(\\bloop|\\b7:|\\(7, )${number}\\b`, 'g'), `$1${name}`);
    }, text);
  }

  get environment(): Record<'A' | 'B' | 'C', string> {
    const [A, B, C] = this.paths as [string, string, string];
    return { A, B, C };
  }

  [Symbol.dispose](): void {
    this.#detach();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function runScriptsInKernel(
  scripts: readonly string[],
  disks: LoopDisks,
): Promise<Records> {
  const shareDir = join(disks.folder, 'share');
  cpSync(scriptsFolder, shareDir, { recursive: true });
  const attach = disks.paths.map(
    (path, index) =>
      `truncate -s ${SIZES_MIB[index]}M /tmp/${index}; losetup ${path} /tmp/${index}`,
  );
  const { A, B, C } = disks.environment;
  const words = scripts.map((name) => `/share/${name}`).join(' ');
  const script = `${attach.join('\n')}
    export A=${A} B=${B} C=${C} DM=/sbin/dmsetup DEVICES=/dev/mapper
    export MAJOR=$(sed -n 's/ device-mapper$//p' /proc/devices | tr -d ' ')
    echo "## major $MAJOR"
    bash /share/harness.sh ${words}`;
  const { status, stdout, stderr } = await runInKernel({ script, shareDir, timeoutMs: 900_000 });
  if (status !== 0) throw new Error(`The kernel run ended with ${status}: ${stderr}`);
  const major = /^## major (\d+)$/m.exec(stdout)?.[1];
  return readRecords(disks.withCommonNames(stdout), Number(major));
}

/** Real dmsetup, through `devmapper exec`. */
export function runScriptsWithDmsetup(
  scripts: readonly string[],
  disks: LoopDisks,
): Promise<Records> {
  return runScripts(scripts, disks, ({ paths, environment }) => ({
    words: [process.execPath, program, 'exec', '--private', '--', 'bash', ...paths],
    environment: { ...environment, DM: '/sbin/dmsetup', DEVICES: '/dev/mapper' },
  }));
}

/** Our commands: all of them in one process, but for those that wait, run beside others or read standard input. */
export function runScriptsWithOurs(scripts: readonly string[], disks: LoopDisks): Promise<Records> {
  return runScripts(scripts, disks, ({ paths, environment, folder }) => {
    devmapper(environment, 'mount');
    const tsx = import.meta.resolve('tsx');
    return {
      words: ['bash', ...paths],
      environment: {
        ...environment,
        DM: program,
        SERVER: `${process.execPath} --import ${tsx} ${server}`,
        DEVICES: join(folder, 'mapper'),
        NODES: 'no',
      },
    };
  });
}

interface Place {
  folder: string;
  paths: string[];
  environment: NodeJS.ProcessEnv;
}

async function runScripts(
  scripts: readonly string[],
  disks: LoopDisks,
  plan: (place: Place) => { words: string[]; environment: NodeJS.ProcessEnv },
): Promise<Records> {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-scripts-'));
  const environment = {
    ...toolEnvironment(),
    ...disks.environment,
    DEVMAPPER_DIR: folder,
    DEVMAPPER_NO_BUILD: '1',
    MAJOR: '0',
  };
  try {
    devmapper(environment, 'daemon', 'start');
    const major = ownMajor(environment);
    environment.MAJOR = String(major);
    const paths = ['harness.sh', ...scripts].map((name) => join(scriptsFolder, name));
    const { words, environment: all } = plan({ folder, paths, environment });
    return readRecords(disks.withCommonNames(await output(words, all)), major);
  } finally {
    devmapper(environment, 'daemon', 'stop', '--force');
    rmSync(folder, { recursive: true, force: true });
  }
}

function devmapper(environment: NodeJS.ProcessEnv, ...words: string[]): string {
  return execFileSync(process.execPath, [program, ...words], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The daemon takes a number that the host does not use. */
function ownMajor(environment: NodeJS.ProcessEnv): number {
  devmapper(environment, 'create', 'probe', '--notable');
  const text = devmapper(environment, 'info', '-c', '--noheadings', '-o', 'major', 'probe');
  devmapper(environment, 'remove', 'probe');
  return Number(text);
}

function output([command, ...words]: string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command!, words, { env, maxBuffer: 2 ** 26, timeout: LIMIT_MS }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`The scripts ended badly: ${error.message}`, { cause: error }));
    });
  });
}

/** Takes the harness's text apart; the only thing made equal is the major number of mapped devices. */
function readRecords(text: string, major: number): Records {
  const records = new Map<string, CommandRecord>();
  let script = '';
  let record: CommandRecord | null = null;
  const number = new RegExp(`\\b${major}\\b`, 'g');
  for (const line of text.replaceAll(number, 'MMM').split('\n')) {
    if (line.startsWith('## ')) script = line.slice(3).replace(/\.sh$/, '');
    else if (record === null && line.startsWith('$ ')) {
      record = {
        key: unused(records, `${script}: ${line.slice(2)}`),
        stdout: '',
        stderr: '',
        status: '',
      };
    } else if (record === null) continue;
    else if (line.startsWith('! ')) record.stderr += `${line.slice(2)}\n`;
    else if (line.startsWith('= ')) {
      record.status = line.slice(2);
      records.set(record.key, record);
      record = null;
    } else record.stdout += `${line}\n`;
  }
  return records;
}

function unused(records: Records, key: string): string {
  if (!records.has(key)) return key;
  for (let count = 2; ; count += 1)
    if (!records.has(`${key} (${count})`)) return `${key} (${count})`;
}
