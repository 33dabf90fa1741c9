import { describe, expect, it } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { Secret } from '../../crypto/secret.ts';
import { CrashDisk } from '../../testing/crash-disk.ts';
import { MemoryByteDisk } from '../../testing/memory-disk.ts';
import { formatLuks1 } from './format.ts';
import { repairLuks1 } from './repair.ts';
import { type Luks1Volume, openLuks1 } from './volume.ts';

const text = (value: string) => Secret.from(new TextEncoder().encode(value));
const pbkdf = { forceIterations: 1000 };
/** The smallest header there is. */
const small = { cipher: 'aes-cbc-plain', keyBytes: 16, hash: 'sha1' };
const SIZE_BYTES = 2 * 1024 * 1024;

async function formatted(): Promise<{ disk: MemoryByteDisk; volume: Luks1Volume }> {
  const disk = new MemoryByteDisk(SIZE_BYTES);
  const volume = await formatLuks1(disk, { ...small, key: { passphrase: text('one'), pbkdf } });
  return { disk, volume };
}

/** Which of the passphrases open what is in these bytes. */
async function openedBy(bytes: Uint8Array, passphrases: readonly string[]): Promise<string[]> {
  const volume = await openLuks1(new MemoryByteDisk(bytes, { readOnly: true }));
  const opens = await Promise.all(
    passphrases.map((each) =>
      volume.unlock(text(each)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return passphrases.filter((_, index) => opens[index]);
}

describe('LUKS1 volume', () => {
  it('opens with its passphrase, and with no other', async () => {
    const { disk, volume } = await formatted();
    const again = await openLuks1(disk);
    const { slot, volumeKey } = await again.unlock(text('one'));
    expect(slot).toBe(0);
    expect(volumeKey.lengthBytes).toBe(16);
    expect((await volume.unlockWithVolumeKey(volumeKey)).slot).toBeNull();
    await expect(again.unlock(text('two'))).rejects.toMatchObject({
      code: 'EPERM',
      message: 'No key available with this passphrase.',
    });
    await expect(again.unlock(text('one'), { slot: 1 })).rejects.toThrow(
      'Keyslot 1 is not active.',
    );
    await expect(again.unlock(text('one'), { slot: 8 })).rejects.toThrow('Key slot 8 is invalid');
    await expect(again.unlockWithVolumeKey(text('0123456789abcdef'))).rejects.toThrow(
      'Volume key does not match the volume.',
    );
  });

  it('changes slots, and wipes what they held', async () => {
    const { disk, volume } = await formatted();
    const { volumeKey } = await volume.unlock(text('one'));
    expect(await volume.addKey(volumeKey, { passphrase: text('two'), pbkdf })).toBe(1);
    expect(await volume.addKey(volumeKey, { passphrase: text('six'), slot: 6, pbkdf })).toBe(6);
    await expect(
      volume.addKey(volumeKey, { passphrase: text('x'), slot: 6, pbkdf }),
    ).rejects.toThrow('Key slot 6 is full');
    const words = ['one', 'two', 'six', 'new'];
    expect(await openedBy(disk.bytes, words)).toEqual(['one', 'two', 'six']);
    expect(await volume.changeKey(volumeKey, 0, { passphrase: text('new'), pbkdf })).toBe(2);
    expect(await openedBy(disk.bytes, words)).toEqual(['two', 'six', 'new']);
    const material = disk.bytes.slice(136 * 512, 137 * 512);
    await volume.killSlot(1);
    expect(disk.bytes.slice(136 * 512, 137 * 512)).not.toEqual(material);
    expect(await openedBy(disk.bytes, words)).toEqual(['six', 'new']);
    await volume.erase();
    expect(volume.slots()).toEqual([]);
    await expect((await openLuks1(disk)).unlock(text('six'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('changes the passphrase of a slot and keeps its number', async () => {
    const { disk, volume } = await formatted();
    const { volumeKey } = await volume.unlock(text('one'));
    const request = { passphrase: text('new'), slot: 0, pbkdf };
    expect(await volume.changeKey(volumeKey, 0, request)).toBe(0);
    expect(volume.slots().map(({ slot }) => slot)).toEqual([0]);
    expect(await openedBy(disk.bytes, ['one', 'new'])).toEqual(['new']);
    for (const index of [1, 2, 3, 4, 5, 6, 7]) {
      await volume.addKey(volumeKey, { passphrase: text(`${index}`), pbkdf });
    }
    expect(await volume.changeKey(volumeKey, 3, { passphrase: text('full'), pbkdf })).toBe(3);
    expect(await openedBy(disk.bytes, ['new', '3', 'full', '7'])).toEqual(['new', 'full', '7']);
  });

  it('changes nothing when somebody else changed the header meanwhile', async () => {
    const { disk, volume } = await formatted();
    const other = await openLuks1(disk);
    const { volumeKey } = await volume.unlock(text('one'));
    expect(await other.addKey(volumeKey, { passphrase: text('two'), pbkdf })).toBe(1);
    const { writeCount } = disk;
    const late = { code: 'EBUSY', message: expect.stringContaining('has changed it since') };
    const request = { passphrase: text('new'), pbkdf };
    await expect(volume.addKey(volumeKey, request)).rejects.toMatchObject(late);
    await expect(volume.changeKey(volumeKey, 0, request)).rejects.toMatchObject(late);
    await expect(volume.killSlot(0)).rejects.toMatchObject(late);
    await expect(volume.erase()).rejects.toMatchObject(late);
    expect(disk.writeCount).toBe(writeCount);
    expect(await openedBy(disk.bytes, ['one', 'two'])).toEqual(['one', 'two']);
  });

  it('does not take a key of another volume', async () => {
    const { volume } = await formatted();
    const before = volume.dumpText();
    await expect(
      volume.addKey(text('0123456789abcdef'), { passphrase: text('two'), pbkdf }),
    ).rejects.toMatchObject({ code: 'EPERM' });
    await expect(
      volume.addKey(text('x'), { passphrase: text('two'), pbkdf: { name: 'argon2id' } }),
    ).rejects.toMatchObject({ code: 'EPERM' });
    expect(volume.dumpText()).toBe(before);
  });

  it('refuses what LUKS1 has not before it writes', async () => {
    const disk = new MemoryByteDisk(SIZE_BYTES);
    const key = { passphrase: text('one'), pbkdf };
    const cases: [object, string][] = [
      [{ hash: 'md5' }, 'Requested LUKS hash md5 is not supported.'],
      [{ sectorBytes: 4096 }, 'Unsupported encryption sector size'],
      [{ label: 'x' }, 'it has no label'],
      [{ uuid: 'x' }, 'Wrong LUKS UUID format provided'],
      [{ dataOffsetBytes: 4096 }, 'Data offset for LUKS header must be either 0 or higher'],
      [{ cipher: 'nothing-xts-plain64' }, 'there is no cipher "nothing" here'],
      [{ keyBytes: 17 }, 'Error decoding and setting key'],
      [{ key: { ...key, slot: 8 } }, 'Key slot 8 is invalid'],
      [
        { key: { ...key, pbkdf: { name: 'argon2id' } } },
        'Requested PBKDF type is not supported for LUKS1.',
      ],
    ];
    for (const [change, message] of cases) {
      await expect(formatLuks1(disk, { ...small, key, ...change })).rejects.toThrow(message);
    }
    const tiny = new MemoryByteDisk(65536);
    await expect(formatLuks1(tiny, { ...small, key })).rejects.toThrow(
      'is too small. (LUKS1 requires at least',
    );
    expect(disk.writeCount + tiny.writeCount).toBe(0);
  });

  it('maps the rest of its device', async () => {
    const { volume } = await formatted();
    expect(volume.segments(SIZE_BYTES)).toEqual([
      {
        ...{ startSectors: 0, lengthSectors: 2048, offsetSectors: 2048 },
        ...{ cipher: 'aes-cbc-plain', sectorBytes: 512, ivOffset: 0n, digest: 0 },
      },
    ]);
    expect(() => volume.segments(1024 * 1024)).toThrow('too small');
  });

  const changes: [string, string[], (volume: Luks1Volume, key: Secret) => Promise<unknown>][] = [
    [
      'addKey',
      ['one'],
      (volume, key) => volume.addKey(key, { passphrase: text('new'), slot: 6, pbkdf }),
    ],
    [
      'changeKey',
      [],
      (volume, key) => volume.changeKey(key, 0, { passphrase: text('new'), pbkdf }),
    ],
    [
      'changeKey of the same slot',
      [],
      (volume, key) => volume.changeKey(key, 0, { passphrase: text('new'), slot: 0, pbkdf }),
    ],
    ['killSlot', ['two'], (volume) => volume.killSlot(0)],
    ['setUuid', ['one', 'two'], (volume) => volume.setUuid('12345678-1234-1234-1234-123456789abc')],
  ];
  it.each(changes)('stays open when the power fails during %s', async (name, always, change) => {
    const { disk: before, volume } = await formatted();
    const { volumeKey } = await volume.unlock(text('one'));
    if (always.includes('two')) {
      await volume.addKey(volumeKey, { passphrase: text('two'), slot: 6, pbkdf });
    }
    const disk = new CrashDisk(before.bytes);
    await change(await openLuks1(disk), volumeKey);
    for (const crash of disk.crashes(createPrng(1), { tearCount: 1, lossCount: 1 })) {
      const opened = await openedBy(crash.bytes, ['one', 'two', 'new']);
      expect(opened, `${name}: ${crash.name}`).toEqual(expect.arrayContaining(always));
      expect(opened.length, `${name}: ${crash.name}`).toBeGreaterThan(0);
    }
  });

  it('is put right where cryptsetup would do it, and nowhere else', async () => {
    const { disk } = await formatted();
    expect(await repairLuks1(disk)).toEqual([]);
    const whole = disk.bytes.slice();
    const view = new DataView(disk.bytes.buffer);
    view.setUint32(208 + 3 * 48 + 44, 7);
    view.setUint32(208 + 4 * 48 + 40, 7);
    await expect(openLuks1(disk)).rejects.toThrow('LUKS keyslot 3 is invalid');
    expect(await repairLuks1(disk)).toEqual([
      'Keyslot 3: stripes repaired (7 -> 4000).',
      'Keyslot 4: offset repaired (7 -> 520).',
    ]);
    expect(Buffer.compare(disk.bytes, whole)).toBe(0);
    view.setUint32(208 + 44, 7);
    const { writeCount } = disk;
    await expect(repairLuks1(disk)).rejects.toThrow('LUKS keyslot 0 is invalid');
    expect(disk.writeCount).toBe(writeCount);
  });
});
