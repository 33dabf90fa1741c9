// An encrypted image: made, written, edited, and opened with another passphrase.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatLuks, openLuksImage, openLuksVolume, Secret } from 'devmapper/luks';

const folder = await mkdtemp(join(tmpdir(), 'devmapper-example-'));
const image = join(folder, 'disk.img');
await writeFile(image, new Uint8Array(20 * 1024 * 1024));

// Bytes outside the heap, overwritten at the end of the block; real ones come from a file or a terminal.
using first = Secret.from(new TextEncoder().encode('the first passphrase'));
using second = Secret.from(new TextEncoder().encode('another one'));
// Cheap, for an example: without `pbkdf` unlocking costs an attacker two seconds and up to a gigabyte a guess.
const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;

await formatLuks(image, first, { label: 'example', key: { pbkdf } });
{
  await using disk = await openLuksVolume(image, first);
  await disk.write({ offsetBytes: 4096, data: Buffer.alloc(4096, 'plain text ') });
  await disk.flush();
}
console.log(
  `in the image: ${(await readFile(image)).includes('plain text') ? 'plain text' : 'noise'}`,
);

{
  await using opened = await openLuksImage(image);
  const { volume } = opened;
  using key = (await volume.unlock(first)).volumeKey;
  const slot = await volume.addKey(key, { passphrase: second, pbkdf });
  console.log(
    `LUKS${volume.version} "${volume.label}", ${volume.cipher}; new passphrase in slot ${slot}`,
  );
  await volume.killSlot(0);
}

{
  await using disk = await openLuksVolume(image, second, { readOnly: true });
  const data = await disk.read({ offsetBytes: 4096, lengthBytes: 4096 });
  console.log(`in the volume: ${Buffer.from(data).toString('latin1', 0, 10)}`);
}
await openLuksVolume(image, first).catch((error: unknown) => console.log((error as Error).message));
await rm(folder, { recursive: true });

// Prints:
// in the image: noise
// LUKS2 "example", aes-xts-plain64; new passphrase in slot 1
// in the volume: plain text
// No key available with this passphrase.
