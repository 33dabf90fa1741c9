import { describe, expect, it } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { Secret } from '../../crypto/secret.ts';
import { CrashDisk } from '../../testing/crash-disk.ts';
import { MemoryByteDisk } from '../../testing/memory-disk.ts';
import { formatLuks1 } from '../luks1/format.ts';
import { convertLuks } from './convert.ts';
import { formatLuks, openLuks } from './index.ts';

const text = (value: string) => Secret.from(new TextEncoder().encode(value));
const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;
const small = { cipher: 'aes-cbc-plain', keyBytes: 16, hash: 'sha1' };

/** A LUKS1 volume with these slots in use; each one's passphrase is its number. */
async function luks1(slots: readonly number[], extra = {}): Promise<Uint8Array> {
  const disk = new MemoryByteDisk(2 * 1024 * 1024);
  const [slot, ...others] = slots;
  const key = { passphrase: text(String(slot)), slot: slot!, pbkdf };
  const volume = await formatLuks1(disk, { ...small, ...extra, key });
  const { volumeKey } = await volume.unlock(text(String(slot)));
  for (const other of others) {
    await volume.addKey(volumeKey, { passphrase: text(String(other)), slot: other, pbkdf });
  }
  return disk.bytes;
}

/** Which slot each of the passphrases opens, in what version. */
async function opened(bytes: Uint8Array, slots: readonly number[]) {
  const volume = await openLuks(new MemoryByteDisk(bytes, { readOnly: true }));
  const found: (number | null)[] = [];
  for (const slot of slots) found.push((await volume.unlock(text(String(slot)), { slot })).slot);
  return { version: volume.version, found };
}

async function refusal(bytes: Uint8Array, version: 1 | 2): Promise<string> {
  const disk = new MemoryByteDisk(bytes);
  const failed = await convertLuks(disk, version).catch((error: unknown) => error as Error);
  expect(disk.writeCount).toBe(0);
  return failed ? failed.message : '';
}

describe('convertLuks', () => {
  it.each([[[0]], [[0, 3, 7]], [[5]], [[0, 1, 2, 3, 4]]])(
    'keeps every key there and back, slots %j',
    async (slots) => {
      const disk = new MemoryByteDisk(await luks1(slots));
      const before = await openLuks(disk);
      await convertLuks(disk, 2);
      expect(await opened(disk.bytes, slots)).toEqual({ version: 2, found: slots });
      const between = await openLuks(disk);
      expect(between).toMatchObject({ cipher: 'aes-cbc-plain', dataOffsetBytes: 1024 * 1024 });
      await convertLuks(disk, 1);
      expect(await opened(disk.bytes, slots)).toEqual({ version: 1, found: slots });
      const after = await openLuks(disk);
      expect(after.uuid).toBe(before.uuid);
      expect(after.segments(disk.sizeBytes)).toEqual(before.segments(disk.sizeBytes));
      expect(disk.bytes.subarray(1024, 32768).every((byte) => byte === 0)).toBe(true);
    },
  );

  // With room behind the last slot, slot 0 moves there; without, it changes places with slot 1.
  it.each([
    [[0], {}],
    [[0, 2], { alignBytes: 512 }],
  ])('stays open when the power fails on the way up, slots %j %j', async (slots, extra) => {
    const disk = new CrashDisk(await luks1(slots, extra));
    await convertLuks(disk, 2);
    for (const crash of disk.crashes(createPrng(1), { tearCount: 1, lossCount: 1 })) {
      const { found } = await opened(crash.bytes, slots).catch((cause: unknown) => {
        throw new Error(crash.name, { cause });
      });
      expect(found, crash.name).toEqual(slots);
    }
  });

  it('stays open when the power fails on the way down', async () => {
    const converted = new MemoryByteDisk(await luks1([0, 2]));
    await convertLuks(converted, 2);
    const disk = new CrashDisk(converted.bytes);
    await convertLuks(disk, 1);
    for (const crash of disk.crashes(createPrng(1), { tearCount: 1, lossCount: 1 })) {
      const { found } = await opened(crash.bytes, [0, 2]).catch((cause: unknown) => {
        throw new Error(crash.name, { cause });
      });
      expect(found, crash.name).toEqual([0, 2]);
    }
  });

  it('does nothing when the first key slot has nowhere to go', async () => {
    // Slots 1 to 5 in use, and the data right behind the last one: only 6 and 7 have a place to give.
    const full = await luks1([0, 1, 2, 3, 4, 5], { alignBytes: 512 });
    expect(await refusal(full, 2)).toContain('Unable to move keyslot area. Not enough space.');
  });

  it('knows what LUKS1 cannot say', async () => {
    const size = 4 * 1024 * 1024;
    const format = async (change: object) => {
      const disk = new MemoryByteDisk(size);
      const key = { passphrase: text('0'), pbkdf };
      const common = { sectorBytes: 512, keyslotsBytes: 2 ** 21, cipher: 'aes-xts-plain64' };
      await formatLuks(disk, 2, { ...common, key, ...change });
      return disk.bytes;
    };
    const argon2 = { name: 'argon2id', memoryKiB: 32, parallel: 1, forceIterations: 4 } as const;
    const cases: [object, string][] = [
      [{ sectorBytes: 4096 }, 'default segment encryption sector size is not 512 bytes.'],
      [{ key: { passphrase: text('0'), pbkdf: argon2 } }, 'keyslot 0 is not LUKS1 compatible.'],
      [
        { key: { passphrase: text('0'), pbkdf, slot: 8 } },
        'slot 8 (over maximum slots) is still active.',
      ],
      [
        { key: { passphrase: text('0'), pbkdf: { ...pbkdf, hash: 'sha512' } }, hash: 'sha256' },
        'keyslot 0 is not LUKS1 compatible.',
      ],
      [{ keyslotsBytes: 2 ** 19 }, 'Not enough space in header keyslot area'],
    ];
    for (const [change, reason] of cases) {
      expect(await refusal(await format(change), 1)).toContain(
        `Cannot convert to LUKS1 format - ${reason}`,
      );
    }
    expect(await refusal(await format({}), 2)).toBe('Device is already LUKS2 type.');
    expect(await refusal(new Uint8Array(65536), 2)).toContain('is not a valid LUKS device.');
  });
});
