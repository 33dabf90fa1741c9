/** Runs the crypt cases twice: in a real kernel through crypt-lines.c, and here with our Mapper. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DmError, errnoName } from '../../src/base/errors.ts';
import { splitArguments } from '../../src/core/arguments.ts';
import { showSecrets } from '../../src/core/line-secrets.ts';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import { Mapper } from '../../src/core/mapper.ts';
import { parseTable } from '../../src/core/table-text.ts';
import { createTargetRegistry } from '../../src/core/target.ts';
import { targets } from '../../src/targets/index.ts';
import { readSectors } from '../../src/testing/submit.ts';
import { TestDisks } from '../../src/testing/test-disk.ts';
import type { CryptCase } from './crypt-lines.ts';
import { keyHex } from './crypt-messages.ts';
import { runInKernel } from './kernel.ts';

export interface StepAnswer {
  /** `ok` or the errno's name. */
  result: string;
  /** A table, a measurement, limits, a hash. */
  text: string;
  /** The kernel's: what it logged. Ours: the reason. */
  words: string;
}

const DISK_SECTORS = 4096;
const BLOCKS = { logicalBlockBytes: 4096, physicalBlockBytes: 4096, ioMinBytes: 4096 };
/** `type description hex` */
const KEYS = [
  `logon key:64 ${keyHex(64)}`,
  `user key:64 ${keyHex(64)}`,
  `user plain:64 ${keyHex(64)}`,
  `logon key:63 ${keyHex(63)}`,
  `logon key:other ${'ab'.repeat(64)}`,
];

let bytesOfDisks: Buffer | null = null;

/** Bytes that are nowhere the same. */
function diskBytes(): Buffer {
  bytesOfDisks ??= makeDiskBytes();
  return bytesOfDisks;
}

function makeDiskBytes(): Buffer {
  const pieces = Array.from({ length: (DISK_SECTORS * 512) / 32 }, (_, index) =>
    createHash('sha256').update(`disk${index}`).digest(),
  );
  return Buffer.concat(pieces);
}

// ---- the real kernel

const source = fileURLToPath(new URL('./crypt-lines.c', import.meta.url));

const kernelScript = `set -e
dmesg -n 1
modprobe -a crypto_null ecb cbc
ln -s /dev/vda /dev/A; losetup -b 4096 /dev/loop0 /dev/vdb; ln -s /dev/loop0 /dev/K
/share/crypt-lines /share/lines > /share/answers`;

export async function runCryptLinesInKernel(cases: readonly CryptCase[]): Promise<StepAnswer[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-crypt-lines-'));
  try {
    execFileSync('gcc', ['-O1', '-Wall', '-static', '-o', join(folder, 'crypt-lines'), source]);
    const lines = cases.flatMap(({ steps }) => ['create', ...steps, 'remove']);
    writeFileSync(
      join(folder, 'lines'),
      `${[...KEYS.map((key) => `key ${key}`), ...lines].join('\n')}\n`,
    );
    const disks = ['A', 'K'].map((name) => join(folder, name));
    for (const disk of disks) writeFileSync(disk, diskBytes());
    const run = { script: kernelScript, disks, shareDir: folder, timeoutMs: 600_000 };
    const { status, stderr } = await runInKernel(run);
    if (status !== 0) throw new Error(`The kernel's run failed (${status}): ${stderr}`);
    return divide(readAnswers(readFileSync(join(folder, 'answers'), 'utf8')), cases);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readAnswers(text: string): StepAnswer[] {
  const answers: StepAnswer[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const [first = '', ...rest] = line.split(' ');
    if (first === 'log') answers.at(-1)!.words += `${rest.join(' ')}\n`;
    else
      answers.push({ result: resultOf(Number(first)), text: diskNames(rest.join(' ')), words: '' });
  }
  return answers.map((answer) => ({ ...answer, words: ownWords(answer) }));
}

/** Without the steps that frame each case. */
function divide(answers: readonly StepAnswer[], cases: readonly CryptCase[]): StepAnswer[][] {
  let next = KEYS.length;
  return cases.map(({ steps }) => {
    const start = next + 1;
    next = start + steps.length + 1;
    return answers.slice(start, start + steps.length);
  });
}

function resultOf(errno: number): string {
  return errno === 0 ? 'ok' : errnoName(errno);
}

function diskNames(text: string): string {
  return text
    .replace(/ 254:0 /, ' /dev/A ')
    .replace(/ 7:0 /, ' /dev/K ')
    .replace('target_version=1.28.0', 'target_version=1.29.0')
    .replace(/( \d+){2}$/, (rest) => (/^(\d+ ){7}/.test(`${text} `) ? '' : rest))
    .trimEnd();
}

/** Of a refusal, what says why, without what is around it. */
function ownWords({ result, words }: StepAnswer): string {
  if (result === 'ok') return '';
  const reasons = words
    .split('\n')
    .map((line) => /(?:crypt|table: \d+:\d+|ioctl): (.*)/.exec(line)?.[1] ?? '')
    .filter(
      (line) =>
        line !== '' &&
        !/adding target to table|alignment inconsistency|does not support IVs|No test for|Unsupported essiv|whitespace chars/.test(
          line,
        ),
    );
  return (reasons.at(0) ?? '')
    .replace(/^\d+:\d+: /, '')
    .replace(/^crypt: /, '')
    .replace(/ \(-E[A-Z]+\)$/, '')
    .replace(/\bvda\b/, '/dev/A')
    .replace(/\bloop0\b/, '/dev/K')
    .replace(/\.$/, '');
}

// ---- our own

export async function runCryptCaseHere({ steps }: CryptCase): Promise<StepAnswer[]> {
  const disks = new TestDisks();
  disks.add('/dev/A', { sizeSectors: DISK_SECTORS }).bytes.set(diskBytes());
  disks.add('/dev/K', { sizeSectors: DISK_SECTORS, limits: BLOCKS }).bytes.set(diskBytes());
  const mapper = new Mapper({ registry: createTargetRegistry(targets), opener: disks });
  for (const key of KEYS) {
    const [, description = '', hex = ''] = key.split(' ');
    mapper.keyring.add(description, Buffer.from(hex, 'hex'));
  }
  const device = mapper.create({ name: 't' });
  const answers: StepAnswer[] = [];
  for (const step of steps) answers.push(await runStep(mapper, device, step));
  return answers;
}

async function runStep(mapper: Mapper, device: MappedDevice, step: string): Promise<StepAnswer> {
  try {
    return { result: 'ok', text: await performStep(mapper, device, step), words: '' };
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    return { result: error.code, text: '', words: error.message };
  }
}

async function performStep(mapper: Mapper, device: MappedDevice, step: string): Promise<string> {
  const [name, ...words] = step.split(' ');
  const rest = words.join(' ');
  const target = device.live?.rows[0]?.target;
  switch (name) {
    case 'load':
      await mapper.load(device, parseTable(rest));
      return '';
    case 'suspend':
      await device.suspend();
      return '';
    case 'resume':
      if (device.live !== null || device.inactive !== null) await device.resume();
      return '';
    case 'clear':
      await device.clear();
      return '';
    case 'message':
      return (await device.message(0, splitArguments(rest))) ?? '';
    case 'table':
      return target ? showSecrets(target.table(), target.secrets) : '';
    case 'measure':
      return target ? `target_name=crypt,target_version=1.29.0,${target.measure!()};` : '';
    case 'limits':
      return target ? limitsOf(device) : '-1 -1 -1 -1 -1';
    case 'hash':
      return hashOf(await readSectors(device, 0, Number(rest) / 512));
    default:
      throw new Error(`Unknown step ${step}`);
  }
}

function limitsOf({ limits }: MappedDevice): string {
  const { logicalBlockBytes, physicalBlockBytes, ioMinBytes, ioOptBytes } = limits;
  return [
    logicalBlockBytes,
    physicalBlockBytes,
    ioMinBytes,
    ioOptBytes,
    limits.discardGranularityBytes,
  ].join(' ');
}

/** FNV-1a of 64 bits. */
function hashOf(bytes: Uint8Array): string {
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    // Times 2^40 + 0x1b3.
    const product = low * 0x1b3;
    high = (Math.imul(high, 0x1b3) + (low << 8) + Math.floor(product / 2 ** 32)) >>> 0;
    low = product >>> 0;
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
