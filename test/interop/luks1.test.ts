/** LUKS1 headers that cryptsetup wrote, read by us, and the other way round. */

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { openFileDisk } from '../../src/devices/byte-disk.ts';
import { convertLuks } from '../../src/formats/luks/convert.ts';
import { openLuks } from '../../src/formats/luks/index.ts';
import type { FormatRequest, LuksVolume } from '../../src/formats/luks/types.ts';
import { formatLuks1 } from '../../src/formats/luks1/format.ts';
import { repairLuks1 } from '../../src/formats/luks1/repair.ts';
import { openLuks1 } from '../../src/formats/luks1/volume.ts';
import { backUpHeader, restoreHeader } from '../../src/mapper/luks/header-backup.ts';
import { CrashDisk } from '../../src/testing/crash-disk.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { run, succeed } from './serve-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-luks1-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MIB = 1024 * 1024;
const secret = (text: string) => Secret.from(new TextEncoder().encode(text));
const keyFile = (text: string) => {
  const path = join(folder, `key-${text}`);
  writeFileSync(path, text);
  return path;
};
const fast = ['--batch-mode', '--pbkdf-force-iterations', '1000'];
const pbkdf = { forceIterations: 1000 };

let count = 0;
function newImage(sizeBytes = 6 * MIB): string {
  count += 1;
  const path = join(folder, `${count}.img`);
  writeFileSync(path, '');
  truncateSync(path, sizeBytes);
  return path;
}

async function withVolume<T>(path: string, action: (volume: LuksVolume) => Promise<T>): Promise<T> {
  await using disk = await openFileDisk(path, { readOnly: false });
  return await action(await openLuks(disk));
}

const slotOf = (path: string, passphrase: string) =>
  withVolume(path, async (volume) => (await volume.unlock(secret(passphrase))).slot);

/** The slot that cryptsetup opens with it; null: none. */
async function cryptsetupSlotOf(path: string, passphrase: string): Promise<number | null> {
  const words = ['open', '--test-passphrase', '-v', '--key-file', keyFile(passphrase), path];
  const { status, stdout, stderr } = await run('cryptsetup', ...words);
  if (status !== 0) return null;
  return Number(/Key slot (\d+) unlocked/.exec(stdout + stderr)?.[1]);
}

const luksDump = (path: string) => succeed('cryptsetup', 'luksDump', path);
const ourDump = (path: string) => withVolume(path, (volume) => Promise.resolve(volume.dumpText()));

/** Cipher, key bits, hash; each of them at least once. */
const combinations: readonly (readonly [string, number, string])[] = [
  ['aes-xts-plain64', 512, 'sha256'],
  ['aes-xts-plain64', 256, 'sha1'],
  ['aes-cbc-essiv:sha256', 256, 'sha224'],
  ['aes-cbc-plain', 128, 'sha384'],
  ['aes-cbc-plain64', 192, 'sha512'],
  ['aes-ecb', 256, 'ripemd160'],
  ['aes-ctr-plain64', 256, 'whirlpool'],
  ['aes', 128, 'sha3-256'],
  ['aes-xts-plain64', 256, 'blake2b-512'],
  ['aes-cbc-essiv:sha256', 128, 'sm3'],
  ['aes-cbc-plain', 128, 'blake2s-256'],
];

requireTools('cryptsetup')('LUKS1 and cryptsetup', () => {
  it.each(combinations)('%s with %i bits, %s: each opens what the other made', async (...words) => {
    const [cipher, keyBits, hash] = words;
    const theirs = newImage();
    const options = ['--cipher', cipher, '--key-size', String(keyBits), '--hash', hash];
    const format = ['luksFormat', '--type', 'luks1', ...fast, ...options];
    await succeed('cryptsetup', ...format, '--key-file', keyFile('one'), theirs);
    expect(await ourDump(theirs)).toBe(await luksDump(theirs));
    expect(await slotOf(theirs, 'one')).toBe(0);

    const ours = newImage();
    await using disk = await openFileDisk(ours, { readOnly: false, lock: 'image' });
    const key = { passphrase: secret('one'), slot: 5, pbkdf };
    const volume = await formatLuks1(disk, { cipher, keyBytes: keyBits / 8, hash, key });
    await disk.close();
    expect(volume.dumpText()).toBe(await luksDump(ours));
    expect(await cryptsetupSlotOf(ours, 'one')).toBe(5);
  });

  it.each([256, 512])(
    'headers with %i-bit keys backed up and restored by the other',
    async (keyBits) => {
      const path = newImage();
      const key = ['--key-file', keyFile('one')];
      const bits = ['--key-size', String(keyBits)];
      const format = ['luksFormat', '--type', 'luks1', ...fast, ...key, ...bits];
      await succeed('cryptsetup', ...format, path);
      const image = readFileSync(path);
      const theirs = join(folder, `theirs-${keyBits}.backup`);
      await succeed('cryptsetup', 'luksHeaderBackup', '--header-backup-file', theirs, path);
      await using disk = await openFileDisk(path, { readOnly: false, lock: 'image' });
      const ours = await backUpHeader(disk);
      expect(readFileSync(theirs).equals(ours)).toBe(true);

      await (await openLuks(disk)).killSlot(0);
      await using backup = await openFileDisk(theirs, { readOnly: true });
      await restoreHeader(disk, backup);
      expect(readFileSync(path).equals(image)).toBe(true);

      await (await openLuks(disk)).erase();
      await disk.close();
      const copy = join(folder, `ours-${keyBits}.backup`);
      writeFileSync(copy, ours);
      const restore = ['luksHeaderRestore', '-q', '--header-backup-file', copy];
      await succeed('cryptsetup', ...restore, path);
      expect(readFileSync(path).equals(image)).toBe(true);
    },
  );

  it('takes turns with cryptsetup on one header', async () => {
    const path = newImage();
    const open = ['--key-file', keyFile('one')];
    await succeed('cryptsetup', 'luksFormat', '--type', 'luks1', ...fast, ...open, path);
    await withVolume(path, async (volume) => {
      const { volumeKey } = await volume.unlock(secret('one'));
      await volume.addKey(volumeKey, { passphrase: secret('two'), slot: 6, pbkdf });
      await volume.addKey(volumeKey, { passphrase: secret('three'), pbkdf });
      await volume.setUuid('ABCDEF00-1234-1234-1234-123456789abc');
    });
    expect(await cryptsetupSlotOf(path, 'two')).toBe(6);
    expect(await cryptsetupSlotOf(path, 'three')).toBe(1);
    expect(await succeed('cryptsetup', 'luksUUID', path)).toBe(
      'abcdef00-1234-1234-1234-123456789abc\n',
    );
    await succeed('cryptsetup', 'luksAddKey', ...fast, ...open, path, keyFile('four'));
    expect(await slotOf(path, 'four')).toBe(2);
    await withVolume(path, async (volume) => {
      const { volumeKey } = await volume.unlock(secret('four'));
      expect(await volume.changeKey(volumeKey, 2, { passphrase: secret('five'), pbkdf })).toBe(3);
      await volume.killSlot(0);
    });
    expect(await cryptsetupSlotOf(path, 'five')).toBe(3);
    expect(await cryptsetupSlotOf(path, 'one')).toBeNull();
    expect(await ourDump(path)).toBe(await luksDump(path));
    await withVolume(path, (volume) => volume.erase());
    expect(await luksDump(path)).not.toContain('ENABLED');
  });

  const places: [string, string[], Partial<FormatRequest>][] = [
    ['no alignment', ['--align-payload', '7'], { alignBytes: 7 * 512 }],
    ['an alignment', ['--align-payload', '8192'], { alignBytes: 8192 * 512 }],
    ['an offset', ['--offset', '8200'], { dataOffsetBytes: 8200 * 512 }],
  ];
  it.each(places)('puts data where cryptsetup puts them with %s', async (_name, words, request) => {
    const [theirs, ours] = [newImage(), newImage()];
    const format = ['luksFormat', '--type', 'luks1', ...fast, '--key-file', keyFile('one')];
    await succeed('cryptsetup', ...format, ...words, theirs);
    await using disk = await openFileDisk(ours, { readOnly: false });
    await formatLuks1(disk, { ...request, key: { passphrase: secret('one'), pbkdf } });
    await disk.close();
    const payload = (dump: string) => /^Payload offset:.*$/m.exec(dump)?.[0];
    expect(payload(await luksDump(ours))).toBe(payload(await luksDump(theirs)));
  });

  it('opens a detached header', async () => {
    const header = join(folder, 'header');
    const format = ['luksFormat', '--type', 'luks1', ...fast, '--key-file', keyFile('one')];
    await succeed('cryptsetup', ...format, '--header', header, newImage());
    expect(await slotOf(header, 'one')).toBe(0);
    await using disk = await openFileDisk(header, { readOnly: false });
    const key = { passphrase: secret('two'), pbkdf };
    const volume = await formatLuks1(disk, { detached: true, key });
    expect(volume.segments(MIB)).toMatchObject([{ offsetSectors: 0, lengthSectors: 2048 }]);
    await disk.close();
    expect(await cryptsetupSlotOf(header, 'two')).toBe(0);
  });

  it('repairs what cryptsetup repairs, and says the same', async () => {
    const base = newImage();
    const format = ['luksFormat', '--type', 'luks1', ...fast, '--key-file', keyFile('one')];
    await succeed('cryptsetup', ...format, base);
    const slot = (index: number, field: number) => 208 + index * 48 + field;
    const u32 = (value: number) => [
      value >>> 24,
      (value >>> 16) & 255,
      (value >>> 8) & 255,
      value & 255,
    ];
    // Few cases: cryptsetup wipes the key material of what it repairs 39 times.
    const damages: [number, number[]][][] = [
      [
        [slot(1, 40), u32(9)],
        [slot(2, 44), u32(0)],
        [slot(7, 40), u32(2 ** 32 - 1)],
      ],
      [[72, [...Buffer.from('SHA256')]]],
    ];
    for (const damage of damages) {
      const [theirs, ours] = [newImage(), newImage()];
      const bytes = readFileSync(base);
      for (const [at, values] of damage) bytes.set(values, at);
      for (const path of [theirs, ours]) writeFileSync(path, bytes);
      const { stdout, stderr } = await run('cryptsetup', 'repair', '-q', '-v', theirs);
      await using disk = await openFileDisk(ours, { readOnly: false });
      const notes = await repairLuks1(disk);
      await disk.close();
      expect(readFileSync(ours).equals(readFileSync(theirs))).toBe(true);
      expect(notes.length).toBeGreaterThan(0);
      for (const note of notes) expect(stdout + stderr).toContain(note);
    }
  });

  it('converts so that cryptsetup opens what is there after every write', async () => {
    const base = newImage(3 * MIB);
    const open = ['--key-file', keyFile('one')];
    await succeed('cryptsetup', 'luksFormat', '--type', 'luks1', ...fast, ...open, base);
    await succeed('cryptsetup', 'luksAddKey', ...fast, '-S', '6', ...open, base, keyFile('two'));
    const up = new CrashDisk(readFileSync(base));
    await convertLuks(up, 2);
    const down = new CrashDisk(up.bytes);
    await convertLuks(down, 1);
    for (const disk of [up, down]) {
      for (const crash of disk.crashes(createPrng(1), { tearCount: 1, lossCount: 0 })) {
        const path = newImage(3 * MIB);
        writeFileSync(path, crash.bytes);
        expect(await cryptsetupSlotOf(path, 'one'), crash.name).toBe(0);
      }
    }
    const path = newImage();
    writeFileSync(path, up.bytes);
    expect(await cryptsetupSlotOf(path, 'two')).toBe(6);
    const add = ['luksAddKey', ...fast, '--pbkdf', 'pbkdf2', ...open, path, keyFile('three')];
    await succeed('cryptsetup', ...add);
    expect(await slotOf(path, 'three')).toBe(1);
    expect(await ourDump(path)).toBe(await luksDump(path));
  });

  it('converts what cryptsetup converted, and the other way round', async () => {
    const path = newImage();
    const open = ['--key-file', keyFile('one')];
    await succeed('cryptsetup', 'luksFormat', '--type', 'luks1', ...fast, ...open, path);
    await succeed('cryptsetup', 'luksAddKey', ...fast, '-S', '4', ...open, path, keyFile('two'));
    const { uuid } = await openLuks1(new MemoryByteDisk(readFileSync(path)));
    const convert = (version: 1 | 2) =>
      succeed('cryptsetup', 'convert', '-q', '--type', `luks${version}`, path);
    const ourConvert = async (version: 1 | 2) => {
      await using disk = await openFileDisk(path, { readOnly: false, lock: 'image' });
      await convertLuks(disk, version);
    };
    const steps: [1 | 2, (version: 1 | 2) => Promise<unknown>][] = [
      [2, convert],
      [1, ourConvert],
      [2, ourConvert],
      [1, ourConvert],
    ];
    for (const [version, action] of steps) {
      await action(version);
      expect(await cryptsetupSlotOf(path, 'two')).toBe(4);
      expect(await slotOf(path, 'one')).toBe(0);
      expect(await ourDump(path)).toBe(await luksDump(path));
      expect(await withVolume(path, (volume) => Promise.resolve(volume.uuid))).toBe(uuid);
    }
  });
});
