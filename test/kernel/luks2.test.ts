/**
 * What only cryptsetup with a kernel can judge of LUKS2, in one boot: ciphers that it has only from there, which the one formats and the other opens; and images
 * whose re-encryption we interrupted, killed or finished: the same plain text in all of them.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '../../src/crypto/secret.ts';
import { formatLuks2 } from '../../src/formats/luks2/format.ts';
import { openLuks2 } from '../../src/formats/luks2/volume.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { Bench, masked } from '../interop/luks2-rig.ts';
import { type KernelResult, requireKernel, runInKernel } from './kernel.ts';
import {
  expectedLines,
  openScript,
  ReencryptImages,
  type StagedImage,
} from './reencrypt-images.ts';

const MIB = 1024 * 1024;
const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;

const ciphers: [cipher: string, keyBytes: number][] = [
  ['serpent-xts-plain64', 64],
  ['twofish-cbc-essiv:sha256', 32],
];

/** Formats one of each, opens one of ours each, and writes what it sees to the shared folder. */
const script = `
cd /tmp
printf secret > pw
tiny="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
n=0
while read cipher bits; do
  truncate -s 2M theirs
  cryptsetup luksFormat -q --type luks2 --offset 2048 --sector-size 512 $tiny --cipher "$cipher" -s "$bits" theirs pw > theirs.err 2>&1 < /dev/null
  cp theirs /share/theirs-$n; cp theirs.err /share/theirs-$n.err; rm theirs
  cp /share/ours-$n ours
  rm -f key
  cryptsetup luksDump -q --dump-volume-key --volume-key-file key --key-file pw ours < /dev/null > /dev/null 2> key.err || cp key.err key
  cp key /share/key-$n; rm ours
  n=$((n + 1))
done < /share/list
`;

/** Ours, one for each cipher, in the shared folder; what the script's work is compared with. */
async function formatOurs(file: (name: string) => string) {
  const list = ciphers.map(([cipher, keyBytes]) => `${cipher} ${keyBytes * 8}\n`);
  writeFileSync(file('list'), list.join(''));
  const made: { json: string; key: string }[] = [];
  for (const [number, [cipher, keyBytes]] of ciphers.entries()) {
    const disk = new MemoryByteDisk(2 * MIB);
    using passphrase = Secret.from(new TextEncoder().encode('secret'));
    const request = { cipher, keyBytes, dataOffsetBytes: MIB, sectorBytes: 512 };
    const volume = await formatLuks2(disk, { ...request, key: { passphrase, pbkdf } });
    const { volumeKey } = await volume.unlock(passphrase);
    made.push({
      json: masked(volume.metadataText()),
      key: Buffer.from(volumeKey.bytes).toString('hex'),
    });
    writeFileSync(file(`ours-${number}`), disk.bytes);
  }
  return made;
}

requireKernel()('LUKS2 and a real kernel', () => {
  const bench = new Bench();
  const file = (name: string) => bench.path(name);
  const images = new ReencryptImages(bench.path('.'));
  let ours: Awaited<ReturnType<typeof formatOurs>>;
  let staged: StagedImage[];
  let result: KernelResult;

  beforeAll(async () => {
    ours = await formatOurs(file);
    staged = await images.make();
    result = await runInKernel({
      script: `${openScript(staged)}\n${script}`,
      disks: staged.map(({ path }) => path),
      shareDir: bench.path('.'),
    });
  });
  afterAll(() => bench[Symbol.dispose]());

  test('ciphers of the kernel: formatted there and here, opened here and there', async () => {
    expect(result.status, result.stderr).toBe(0);
    for (const [number, [cipher, keyBytes]] of ciphers.entries()) {
      expect(readFileSync(file(`key-${number}`)).toString('hex'), cipher).toBe(ours[number]!.key);
      const reason = readFileSync(file(`theirs-${number}.err`), 'utf8');
      const bytes = new Uint8Array(readFileSync(file(`theirs-${number}`)));
      const theirs = await openLuks2(new MemoryByteDisk(bytes)).catch((error: unknown) => {
        throw new Error(`${cipher}: ${String(error)} ${reason}`);
      });
      using passphrase = Secret.from(new TextEncoder().encode('secret'));
      const { volumeKey } = await theirs.unlock(passphrase);
      expect(volumeKey.lengthBytes, cipher).toBe(keyBytes);
      expect(ours[number]!.json, cipher).toBe(masked(theirs.metadataText()));
    }
  });

  test('opens what we left at any stage of re-encryption, and we finish what it recovered', async () => {
    expect(result.stdout.trim().split('\n')).toEqual(expectedLines(staged, images.hash));
    await images.finishChange('half');
    await images.finishChange('crashed');
  });
});
