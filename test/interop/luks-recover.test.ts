/** A re-encryption that was killed in the middle of a step: opening for writing recovers it, opening read-only says why it cannot. */

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Secret } from '../../src/crypto/secret.ts';
import { openFileDisk } from '../../src/devices/byte-disk.ts';
import { formatLuks2 } from '../../src/formats/luks2/format.ts';
import { readHeader } from '../../src/formats/luks2/read-header.ts';
import { reencryptStatus } from '../../src/formats/luks2/reencrypt/status.ts';
import { openLuksVolume } from '../../src/mapper/luks.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { DaemonWorld } from './daemon-rig.ts';
import { type Order, obey, Stopped } from './reencrypt-program.ts';
import { run } from './serve-process.ts';

const MIB = 1024 * 1024;
const DATA_BYTES = MIB;
const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;
const plain = new Uint8Array(DATA_BYTES).map((_, index) => index % 251);

async function statusOf(path: string) {
  await using disk = await openFileDisk(path, { readOnly: true, lock: 'none' });
  return reencryptStatus((await readHeader(disk)).metadata);
}

/** Changing its key was killed in the middle of a hot zone's data. */
async function crashedImage(folder: string, passphrase: Secret): Promise<string> {
  const path = join(folder, 'crashed');
  const keys = { old: new Uint8Array(64).fill(1), new: new Uint8Array(64).fill(2) };
  for (const [name, key] of Object.entries(keys)) {
    writeFileSync(
      join(folder, name),
      key.map((byte, index) => byte ^ index),
    );
  }
  writeFileSync(path, new Uint8Array(MIB + DATA_BYTES));
  const keyOf = (name: string) => Secret.from(readFileSync(join(folder, name)));
  {
    await using disk = await openFileDisk(path, { readOnly: false });
    using oldKey = keyOf('old');
    using newKey = keyOf('new');
    const volume = await formatLuks2(disk, {
      volumeKey: oldKey,
      sectorBytes: 512,
      dataOffsetBytes: MIB,
      key: { passphrase, pbkdf },
    });
    await volume.addUnboundKey(newKey, { passphrase, pbkdf });
  }
  {
    await using volume = await openLuksVolume(path, passphrase);
    await volume.write({ offsetBytes: 0, data: plain });
    await volume.flush();
  }
  const order: Order = {
    do: 'run',
    data: path,
    oldKey: join(folder, 'old'),
    newKey: join(folder, 'new'),
    tuning: { hotzoneBytes: 256 * 1024 },
  };
  await obey({ ...order, do: 'change', newDigest: 1 });
  await obey({ ...order, stopAtWrite: 9, tornAtBytes: 70 * 512 }).catch((error: unknown) => {
    if (!(error instanceof Stopped)) throw error;
  });
  expect(await statusOf(path)).toBe('crashed');
  return path;
}

requireTools('cryptsetup')('an image killed in the middle of a step of re-encryption', () => {
  test('is recovered by whoever opens it for writing', async () => {
    await using world = new DaemonWorld();
    using passphrase = Secret.from(new TextEncoder().encode('secret'));
    const crashed = await crashedImage(world.root, passphrase);
    const keyFile = join(world.root, 'pw');
    writeFileSync(keyFile, 'secret');
    const before = readFileSync(crashed);

    await expect(openLuksVolume(crashed, passphrase, { readOnly: true })).rejects.toThrow(
      'requires reencryption recovery',
    );
    const words = ['--key-file', keyFile, crashed, 'secret'];
    expect(await world.run('luks', 'open', '--readonly', ...words)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('requires reencryption recovery. Run repair first.'),
    });
    writeFileSync(join(world.root, 'wrong'), 'other');
    const wrong = ['--key-file', join(world.root, 'wrong'), crashed, 'secret'];
    expect(await world.run('luks', 'open', ...wrong)).toMatchObject({ status: 2 });
    expect(readFileSync(crashed).equals(before)).toBe(true);

    const copy = join(world.root, 'copy');
    copyFileSync(crashed, copy);
    {
      await using volume = await openLuksVolume(copy, passphrase);
      const data = await volume.read({ offsetBytes: 0, lengthBytes: DATA_BYTES });
      expect(Buffer.compare(data, plain)).toBe(0);
    }
    expect(await statusOf(copy)).toBe('clean');

    expect(await world.run('luks', 'open', ...words)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('re-encryption was recovered'),
    });
    expect(await statusOf(crashed)).toBe('clean');
    expect(await run('cryptsetup', 'luksDump', crashed)).toMatchObject({ status: 0 });
  });
});
