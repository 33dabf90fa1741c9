/** Malformed headers are refused with a reason, and nothing is ever written to them. What cryptsetup says of them: test/interop/luks-evil.test.ts. */

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { DmError, FormatError } from '../../src/base/errors.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { openLuks, probeLuks } from '../../src/formats/luks/index.ts';
import type { LuksVolume } from '../../src/formats/luks/types.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { makeLuks1, makeLuks2 } from './luks-evil/base.ts';
import type { EvilCase } from './luks-evil/evil-case.ts';
import { luks1Cases } from './luks-evil/luks1-cases.ts';
import { luks2Cases } from './luks-evil/luks2-cases.ts';

const digestOf = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex');
const isOurs = (error: unknown) => error instanceof DmError || error instanceof FormatError;

/** Everything that reads, and changes that must fail: the volume's key is another. */
async function use(volume: LuksVolume): Promise<void> {
  volume.dumpText();
  volume.dumpJson();
  volume.slots();
  using wrong = Secret.allocate(volume.keyBytes);
  const request = { passphrase: wrong, pbkdf: { name: 'pbkdf2', forceIterations: 1000 } } as const;
  const attempts = [() => volume.unlockWithVolumeKey(wrong), () => volume.addKey(wrong, request)];
  for (const attempt of attempts) {
    const error: unknown = await attempt().then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(isOurs(error), String(error)).toBe(true);
  }
}

async function judge(image: Uint8Array, { takenBy }: EvilCase): Promise<void> {
  const disk = new MemoryByteDisk(image);
  const before = digestOf(image);
  try {
    const volume = await openLuks(disk);
    expect(takenBy).toBe('both');
    await use(volume);
  } catch (error) {
    if (!isOurs(error)) throw error;
    expect(takenBy, String(error)).not.toBe('both');
  }
  expect((await probeLuks(disk)).kind === 'luks').toBe(takenBy === 'both');
  expect(disk.writeCount).toBe(0);
  expect(digestOf(image)).toBe(before);
}

const [luks1, luks2] = await Promise.all([makeLuks1(), makeLuks2()]);
for (const [version, base, cases] of [
  ['LUKS1', luks1, luks1Cases],
  ['LUKS2', luks2, luks2Cases],
] as const) {
  test.each(cases.map((evil) => [evil.name, evil] as const))(
    `${version}: %s`,
    async (_name, evil) => {
      const image = new Uint8Array(base);
      evil.change(image);
      await judge(image, evil);
    },
  );
}

test('a wrong passphrase leaves damaged copies as they are', async () => {
  const image = new Uint8Array(luks2);
  image.fill(0, 16384, 16400);
  const before = digestOf(image);
  const volume = await openLuks(new MemoryByteDisk(image));
  using wrong = Secret.from(new TextEncoder().encode('wrong'));
  await expect(volume.unlock(wrong)).rejects.toMatchObject({ code: 'EPERM' });
  expect(digestOf(image)).toBe(before);
});
