/** A LUKS2 image gets another key, by us and by cryptsetup in turn: what a hot zone's protection costs with small and large sectors. */

import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomSecret } from '../src/crypto/random.ts';
import { Secret } from '../src/crypto/secret.ts';
import { openFileDisk } from '../src/devices/byte-disk.ts';
import { formatLuks2 } from '../src/formats/luks2/format.ts';
import { beginReencrypt } from '../src/formats/luks2/reencrypt/reencrypt.ts';
import { runReencrypt } from '../src/formats/luks2/reencrypt/run.ts';
import { openLuks2 } from '../src/formats/luks2/volume.ts';
import { formatTable } from './report.ts';
import { median } from './statistics.ts';
import { progress, requirePrograms, run } from './tools.ts';

export interface ReencryptBenchOptions {
  rounds: number;
  diskBytes: number;
  folder: string;
  json: boolean;
}

const MIB = 2 ** 20;
const HEADER_BYTES = 16 * MIB;
const PASSPHRASE = 'bench';
const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;

const CASES = [
  { resilience: 'checksum', sectorBytes: 512 },
  { resilience: 'checksum', sectorBytes: 4096 },
  { resilience: 'journal', sectorBytes: 512 },
  { resilience: 'none', sectorBytes: 512 },
] as const;
type Case = (typeof CASES)[number];

/** There are no bars: the same work is done by both, in tmpfs. */
export async function runReencryptBench(options: ReencryptBenchOptions): Promise<boolean> {
  requirePrograms(['cryptsetup']);
  const { folder, diskBytes, rounds } = options;
  const keyFile = join(folder, 'passphrase');
  writeFileSync(keyFile, PASSPHRASE);
  const rows: { case: string; ours: number; cryptsetup: number }[] = [];
  for (const each of CASES) {
    const image = join(folder, 'image');
    const copy = join(folder, 'copy');
    await makeImage(image, diskBytes, each);
    const rates = { ours: [] as number[], cryptsetup: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      copyFileSync(image, copy);
      rates.ours.push(await mibPerSecond(diskBytes, () => changeKey(copy, each)));
      copyFileSync(image, copy);
      rates.cryptsetup.push(await mibPerSecond(diskBytes, () => theirs(copy, keyFile, each)));
      progress(`${each.resilience}, ${each.sectorBytes}: round ${round + 1}`);
    }
    const name = `${each.resilience}, sectors of ${each.sectorBytes}`;
    rows.push({ case: name, ours: median(rates.ours), cryptsetup: median(rates.cryptsetup) });
    for (const path of [image, copy]) rmSync(path);
  }
  const table = rows.map((row) => [row.case, row.ours.toFixed(0), row.cryptsetup.toFixed(0)]);
  const text = options.json
    ? JSON.stringify({ unit: 'MiB/s', rows }, null, 2)
    : formatTable(['re-encryption, MiB/s', 'devmapper', 'cryptsetup'], table);
  process.stdout.write(`${text}\n`);
  return true;
}

async function makeImage(path: string, diskBytes: number, { sectorBytes }: Case): Promise<void> {
  writeFileSync(path, new Uint8Array(HEADER_BYTES + diskBytes));
  await using disk = await openFileDisk(path, { readOnly: false });
  using passphrase = Secret.from(new TextEncoder().encode(PASSPHRASE));
  await formatLuks2(disk, { sectorBytes, key: { passphrase, pbkdf }, keyslotsBytes: 8 * MIB });
}

async function mibPerSecond(diskBytes: number, action: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await action();
  return diskBytes / MIB / ((performance.now() - startMs) / 1000);
}

async function changeKey(path: string, { resilience }: Case): Promise<void> {
  await using disk = await openFileDisk(path, { readOnly: false, lock: 'image' });
  using passphrase = Secret.from(new TextEncoder().encode(PASSPHRASE));
  const volume = await openLuks2(disk);
  using oldKey = (await volume.unlock(passphrase)).volumeKey;
  using newKey = randomSecret(oldKey.lengthBytes);
  await volume.addUnboundKey(newKey, { passphrase, pbkdf });
  const disks = { header: disk, data: disk };
  const change = { oldKey, newKey, newDigest: 1, resilience };
  const header = await beginReencrypt(disks, volume.header, change);
  await runReencrypt({ disks, header, keys: { old: oldKey, new: newKey } });
}

function theirs(path: string, keyFile: string, { resilience }: Case): Promise<unknown> {
  const costs = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
  const how = ['--force-offline-reencrypt', '--resilience', resilience, ...costs];
  return run('cryptsetup', ['reencrypt', '-q', '--key-file', keyFile, ...how, path]);
}
