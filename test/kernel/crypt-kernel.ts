/** Asks the real kernel's dm-crypt: which tables it takes, what it writes to a disk, what it reads from one. */

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CASE_SECTORS } from '../golden/crypt-cases.ts';
import { temporaryFolder } from '../interop/serve-process.ts';
import { runInKernel } from './kernel.ts';

const guest = fileURLToPath(new URL('./crypt-guest.mjs', import.meta.url));
const client = fileURLToPath(new URL('../../dist/control/client/index.js', import.meta.url));

/** Loaded beforehand; then the kernel looks for no others, which would take most of the time. */
const MODULES =
  'serpent_generic twofish_generic camellia_generic blowfish_generic cast5_generic des_generic ctr ecb cbc xts essiv rmd160 wp512 blake2b_generic crc32_generic';

/** One device, of rows of `CASE_SECTORS`; written with `write`, or read and compared with `read`. */
export interface KernelTable {
  /** dm-crypt's arguments. */
  rows: readonly string[];
  write?: Uint8Array;
  read?: Uint8Array;
}

export interface KernelAnswers {
  /** For each of `judge`: `ok`, or the errno and the kernel's words. */
  verdicts: string[];
  /** For each of `tables` the rows that read differently. */
  different: number[][];
}

export async function askKernel(options: {
  judge: readonly string[];
  tables: readonly KernelTable[];
  disks: readonly string[];
  timeoutMs?: number;
}): Promise<KernelAnswers> {
  using folder = temporaryFolder();
  copyFileSync(guest, join(folder.path, 'guest.mjs'));
  const tables = options.tables.map(({ rows, write, read }, index) => {
    const name = `data-${index}`;
    writeFileSync(join(folder.path, name), (write ?? read)!);
    return { rows, [write ? 'write' : 'read']: `/share/${name}` };
  });
  const job = { caseSectors: CASE_SECTORS, judge: options.judge, tables };
  writeFileSync(join(folder.path, 'job.json'), JSON.stringify(job));
  const { status, stdout, stderr } = await runInKernel({
    script: `set -e
      modprobe -a ${MODULES}
      echo > /proc/sys/kernel/modprobe
      ${process.execPath} /share/guest.mjs ${client} /share/job.json /share/result.json`,
    disks: options.disks,
    shareDir: folder.path,
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  if (status !== 0) throw new Error(`The guest ended with ${status}:\n${stdout}${stderr}`);
  return JSON.parse(readFileSync(join(folder.path, 'result.json'), 'utf8')) as KernelAnswers;
}
