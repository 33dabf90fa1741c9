/**
 * Runs lists and reports with dmsetup in a real kernel, and here with our commands against a daemon in this process.
 *
 * What is made equal before comparing, and nothing else:
 * - major numbers: mapped devices 252, the disk 251 (a file here, /dev/vda there); so the disk's number is as long there as here
 * - the disk's block name: here it is a file and has none, so its number stands there; spaces in such lines are squeezed, because
 *   columns differ in width
 * - standard error: the reason below a failure, which only we know; complaints about nodes, which only dmsetup opens; usage
 */

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { createLog } from '../../src/daemon/log.ts';
import { runInKernel } from './kernel.ts';

export interface Answer {
  stdout: string;
  stderr: string;
  status: number;
}

const DISK_BYTES = 8 * 1024 * 1024;

// ---- the real kernel

/** Few processes: in an emulated machine each takes a quarter of a second. */
const prologue = `
export LC_ALL=C
echo "major|$(sed -n 's/ device-mapper$//p' /proc/devices | tr -d ' ')|$(</sys/block/vda/dev)"
folder=/tmp/first; mkdir /tmp/first /tmp/second
ask() {
  dmsetup "$@" >$folder/out 2>$folder/err </dev/null
  echo "status|$?"
  while IFS= read -r line; do printf 'out|%s\\n' "$line"; done <$folder/out
  [ -z "$line" ] || printf 'part|%s\\n' "$line"
  while IFS= read -r line; do printf 'err|%s\\n' "$line"; done <$folder/err
}
`;

interface Script {
  before: readonly string[];
  setup: readonly string[];
  after: readonly string[];
}

/** Answers to `before` and `after`. */
export async function askKernel({ before, setup, after }: Script): Promise<Answer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-reports-'));
  const disk = join(folder, 'disk');
  try {
    writeFileSync(disk, '');
    truncateSync(disk, DISK_BYTES);
    const lines = [
      ...before.map((command) => `ask ${command}`),
      ...setup.map((command) => `dmsetup ${command.replaceAll('DISK', '/dev/vda')} || exit 9`),
      ...inTwoProcessors(after.map((command) => `ask ${command}`)),
    ];
    const script = `${prologue}${lines.join('\n')}\n`;
    const { status, stdout, stderr } = await runInKernel({ script, disks: [disk] });
    if (status !== 0) throw new Error(`The kernel run ended with ${status}: ${stderr}`);
    return readAnswers(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Questions change nothing, so two shells may ask at once. */
function inTwoProcessors(lines: readonly string[]): string[] {
  const half = Math.ceil(lines.length / 2);
  return [
    '( folder=/tmp/second',
    ...lines.slice(half),
    ') >/tmp/answers &',
    ...lines.slice(0, half),
    'wait',
    'cat /tmp/answers',
  ];
}

function readAnswers(output: string): Answer[] {
  const answers: Answer[] = [];
  let numbers: readonly string[] = [];
  for (const line of output.split('\n').slice(0, -1)) {
    const kind = line.slice(0, line.indexOf('|'));
    const rest = `${line.slice(kind.length + 1)}\n`;
    if (kind === 'major') numbers = rest.trim().split('|');
    else if (kind === 'status') answers.push({ stdout: '', stderr: '', status: Number(rest) });
    else if (kind === 'part') answers.at(-1)!.stdout += rest.slice(0, -1);
    else if (kind === 'out') answers.at(-1)!.stdout += rest;
    else if (kind === 'err') answers.at(-1)!.stderr += rest;
  }
  const [mapped = '', disk = ''] = numbers;
  const diskMajor = disk.replace(/:.*/, '');
  const rename = (text: string) =>
    text
      .replaceAll(new RegExp(`\\b${mapped}\\b`, 'g'), '252')
      .replaceAll(new RegExp(`\\b${diskMajor}(:\\d|, \\d)`, 'g'), '251$1')
      .replaceAll(' <vda>', '')
      .replaceAll(/\bvda\b/g, disk.replace(diskMajor, '251'));
  return answers.map(({ stdout, stderr, status }) =>
    comparable({ stdout: rename(stdout), stderr: rename(stderr), status }),
  );
}

// ---- ours

export async function askOurs({ before, setup, after }: Script): Promise<Answer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-reports-'));
  const disk = join(folder, 'disk');
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
  process.stdout.setMaxListeners(0); // each run of the program adds one, and is the only one outside of tests
  process.stderr.setMaxListeners(0);
  vi.stubEnv('DEVMAPPER_DIR', join(folder, 'state'));
  vi.stubEnv('LC_ALL', 'C');
  const log = createLog({ level: 'silent', fd: 2 });
  const daemon = await Daemon.start({ folder: join(folder, 'state'), log, version: 'test' });
  try {
    const answers: Answer[] = [];
    for (const command of before) answers.push(await ask(command, daemon));
    for (const command of setup) {
      const { status, stderr } = await ask(command.replaceAll('DISK', disk), daemon);
      if (status !== 0) throw new Error(`Cannot ${command}: ${stderr}`);
    }
    for (const command of after) answers.push(await ask(command, daemon));
    return answers;
  } finally {
    await daemon.close();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Words of a shell without anything but single quotes. */
function shellWords(command: string): string[] {
  const words = command.match(/(?:[^\s']|'[^']*')+/g) ?? [];
  return words.map((word) => word.replaceAll("'", ''));
}

async function ask(command: string, { mapper }: Daemon): Promise<Answer> {
  const answer: Answer = { stdout: '', stderr: '', status: 0 };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      answer[name] += String(text);
      return true;
    }),
  );
  try {
    answer.status = await main(shellWords(command));
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const { major } = mapper.engine;
  const rename = (text: string) => text.replaceAll(new RegExp(`\\b${major}\\b`, 'g'), '252');
  return comparable({
    stdout: rename(answer.stdout),
    stderr: rename(answer.stderr),
    status: answer.status,
  });
}

// ---- both

function comparable({ stdout, stderr, status }: Answer): Answer {
  const squeezed = stdout.replaceAll(/^.*\b251:0.*$/gm, (line) => line.replaceAll(/ +/g, ' '));
  const errors = stderr
    .replace(/^(Incorrect number of arguments\.\n)(?:.*\n)*/, '$1')
    .replaceAll(/^ {2}reason: .*\n/gm, '')
    .replaceAll(/^.*: open failed: .*\n/gm, '');
  return { stdout: squeezed, stderr: errors, status };
}
