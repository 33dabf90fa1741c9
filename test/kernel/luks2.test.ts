/** LUKS2 with the ciphers that cryptsetup has only from a kernel: what the one formats the other opens. */

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Secret } from '../../src/crypto/secret.ts';
import { formatLuks2 } from '../../src/formats/luks2/format.ts';
import { openLuks2 } from '../../src/formats/luks2/volume.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { Bench, masked } from '../interop/luks2-rig.ts';
import { requireKernel, runInKernel } from './kernel.ts';

const MIB = 1024 * 1024;
const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;

const ciphers: [cipher: string, keyBytes: number][] = [
  ['serpent-xts-plain64', 64],
  ['twofish-cbc-essiv:sha256', 32],
  ['camellia-xts-plain64', 64],
];

/** Formats one of each, opens one of ours each, and writes what it sees to the shared folder. */
const script = `
cd /tmp
printf secret > pw
tiny="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
n=0
while read cipher bits; do
  truncate -s 2M theirs
  cryptsetup luksFormat -q --type luks2 --offset 2048 --sector-size 512 $tiny --cipher "$cipher" -s "$bits" theirs pw 2> theirs.err < /dev/null
  cp theirs /share/theirs-$n; cp theirs.err /share/theirs-$n.err; rm theirs
  cp /share/ours-$n ours
  rm -f key
  cryptsetup luksDump -q --dump-volume-key --volume-key-file key --key-file pw ours < /dev/null > /dev/null 2> key.err || cp key.err key
  cp key /share/key-$n; rm ours
  n=$((n + 1))
done < /share/list
`;

requireKernel()('LUKS2 with the ciphers of a kernel', () => {
  test('formatted there and here, opened here and there', async () => {
    using bench = new Bench();
    const file = (name: string) => bench.path(name);
    const list = ciphers.map(([cipher, keyBytes]) => `${cipher} ${keyBytes * 8}\n`);
    writeFileSync(file('list'), list.join(''));
    const ourJson: string[] = [];
    const ourKeys: string[] = [];
    for (const [number, [cipher, keyBytes]] of ciphers.entries()) {
      const disk = new MemoryByteDisk(2 * MIB);
      using passphrase = Secret.from(new TextEncoder().encode('secret'));
      const request = { cipher, keyBytes, dataOffsetBytes: MIB, sectorBytes: 512 };
      const volume = await formatLuks2(disk, { ...request, key: { passphrase, pbkdf } });
      const { volumeKey } = await volume.unlock(passphrase);
      ourJson.push(masked(volume.metadataText()));
      ourKeys.push(Buffer.from(volumeKey.bytes).toString('hex'));
      writeFileSync(file(`ours-${number}`), disk.bytes);
    }

    const { status, stderr } = await runInKernel({ script, shareDir: bench.path('.') });
    expect(status, stderr).toBe(0);

    for (const [number, [cipher, keyBytes]] of ciphers.entries()) {
      expect(readFileSync(file(`key-${number}`)).toString('hex'), cipher).toBe(ourKeys[number]);
      const reason = readFileSync(file(`theirs-${number}.err`), 'utf8');
      const bytes = new Uint8Array(readFileSync(file(`theirs-${number}`)));
      const theirs = await openLuks2(new MemoryByteDisk(bytes)).catch((error: unknown) => {
        throw new Error(`${cipher}: ${String(error)} ${reason}`);
      });
      using passphrase = Secret.from(new TextEncoder().encode('secret'));
      const { volumeKey } = await theirs.unlock(passphrase);
      expect(volumeKey.lengthBytes, cipher).toBe(keyBytes);
      expect(ourJson[number], cipher).toBe(masked(theirs.metadataText()));
    }
  });
});
