/**
 * Records what the real kernel's dm-crypt says to all combinations and writes for the good ones: `node --import tsx test/golden/record-crypt.ts`
 * writes crypt.txt. Boots a kernel; some minutes.
 */

import { closeSync, ftruncateSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../interop/serve-process.ts';
import { askKernel, type KernelTable } from '../kernel/crypt-kernel.ts';
import {
  CASE_BYTES,
  CASE_SECTORS,
  type CryptSpec,
  type CryptVariant,
  fingerprint,
  paramsOf,
  plaintext,
  SPECS,
  VARIANTS,
} from './crypt-cases.ts';

/** More rows would need more memory than the guest has. */
const TABLE_ROWS = 400;
const TIMEOUT_MS = 1_500_000;

const HEAD = `# What Linux 6.12 says to dm-crypt tables, recorded by record-crypt.ts: cipher, bytes of the key, how SHA-256 of the ciphertext begins for each
# of VARIANTS ("-": refused; one "-": all of them), and the words of refusals.
`;

interface Case {
  spec: CryptSpec;
  variant: CryptVariant;
}

function makeDisk(path: string, sizeBytes: number): string {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, sizeBytes);
  closeSync(fd);
  return path;
}

const repeat = (bytes: Uint8Array, count: number): Uint8Array =>
  Buffer.concat(Array.from({ length: count }, () => bytes));

function tablesOf(cases: readonly Case[]): KernelTable[] {
  const rows = cases.map(({ spec, variant }, index) =>
    paramsOf(spec, variant, '/dev/vda', index * CASE_SECTORS),
  );
  const tables: KernelTable[] = [];
  for (let at = 0; at < rows.length; at += TABLE_ROWS) {
    const part = rows.slice(at, at + TABLE_ROWS);
    tables.push({ rows: part, write: repeat(plaintext(), part.length) });
  }
  return tables;
}

function readFingerprints(disk: string, count: number): string[] {
  const fd = openSync(disk, 'r');
  const bytes = Buffer.alloc(CASE_BYTES);
  const found = Array.from({ length: count }, (_, index) => {
    readSync(fd, bytes, 0, CASE_BYTES, index * CASE_BYTES);
    return fingerprint(bytes);
  });
  closeSync(fd);
  return found;
}

interface Judged extends Case {
  /** `ok`, or the errno and the kernel's words. */
  verdict: string;
}

/** One boot to ask, one to write. */
async function judgeAll(disk: string): Promise<Judged[]> {
  const ask = async (cases: readonly Case[]): Promise<Judged[]> => {
    const judge = cases.map(({ spec, variant }) => paramsOf(spec, variant, '/dev/vda', 0));
    const { verdicts } = await askKernel({ judge, tables: [], disks: [disk], timeoutMs: TIMEOUT_MS });
    return cases.map((each, index) => ({ ...each, verdict: verdicts[index]! }));
  };
  return ask(SPECS.flatMap((spec) => VARIANTS.map((variant) => ({ spec, variant }))));
}

async function record(): Promise<string> {
  using folder = temporaryFolder();
  const disk = makeDisk(join(folder.path, 'disk'), CASE_BYTES);
  const judged = await judgeAll(disk);
  const good = judged.filter(({ verdict }) => verdict === 'ok');
  process.stderr.write(`${good.length} of ${judged.length} are good\n`);
  makeDisk(disk, good.length * CASE_BYTES);
  const tables = tablesOf(good);
  await askKernel({ judge: [], tables, disks: [disk], timeoutMs: TIMEOUT_MS });
  const prints = new Map(
    readFingerprints(disk, good.length).map((print, index) => [good[index]!, print]),
  );
  return SPECS.map((spec) => lineOf(judged.filter((each) => each.spec === spec), prints)).join('');
}

function lineOf(judged: readonly Judged[], prints: ReadonlyMap<Case, string>): string {
  const { cipher, keyBytes } = judged[0]!.spec;
  const words = new Set(judged.map(({ verdict }) => verdict).filter((each) => each !== 'ok'));
  const found = judged.map((each) => prints.get(each) ?? '-').join(' ');
  const shown = found.replaceAll(/[- ]/g, '') === '' ? '-' : found;
  return `${cipher} ${keyBytes} ${shown}${words.size > 0 ? ` | ${[...words].join(' | ')}` : ''}\n`;
}

writeFileSync(fileURLToPath(new URL('./crypt.txt', import.meta.url)), HEAD + (await record()));
