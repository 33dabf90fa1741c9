/** Asks the kernel anew for the COW devices that make-images.sh describes: `npx tsx test/golden/snapshot/record-images.ts` */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { runInKernel } from '../../kernel/kernel.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const CHUNK_BYTES = 4096;

const folder = mkdtempSync(join(tmpdir(), 'devmapper-cow-'));
const shareDir = mkdtempSync(join(tmpdir(), 'devmapper-cow-share-'));
const origin = new Uint8Array(8 * 1024 * 1024);
for (let at = 0; at < origin.byteLength; at += CHUNK_BYTES) {
  origin.fill(65 + ((at / CHUNK_BYTES) % 26), at, at + CHUNK_BYTES);
}
const disks = ['origin', 'cow'].map((name) => join(folder, name));
for (const disk of disks) writeFileSync(disk, origin);
const script = readFileSync(join(here, 'make-images.sh'), 'utf8');
const result = await runInKernel({ script, disks, shareDir, timeoutMs: 550_000 });
process.stderr.write(result.stdout + result.stderr);
if (result.status === 0) {
  const statuses: Record<string, string> = {};
  for (const file of readdirSync(shareDir).sort()) {
    const bytes = readFileSync(join(shareDir, file));
    const [name, kind] = file.split('.') as [string, string];
    if (kind === 'status') statuses[name] = bytes.toString().trim();
    else writeFileSync(join(here, `${name}.img.gz`), gzipSync(bytes, { level: 9 }));
  }
  writeFileSync(join(here, 'statuses.json'), `${JSON.stringify(statuses, null, 2)}\n`);
}
rmSync(folder, { recursive: true });
rmSync(shareDir, { recursive: true });
process.exitCode = result.status;
