/**
 * The power fails at any point of any change: the header can be read, and one of the passphrases that were right before or after opens the
 * volume. A slot that a change does not touch opens it in any case.
 */

import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { Secret } from '../../crypto/secret.ts';
import { CrashDisk } from '../../testing/crash-disk.ts';
import { MemoryByteDisk } from '../../testing/memory-disk.ts';
import { testSeed } from '../../testing/seed.ts';
import { restoreHeader } from './backup.ts';
import { formatLuks2 } from './format.ts';
import { type Luks2OnDisk, openLuks2 } from './volume.ts';
import { repairHeader } from './write-header.ts';

const KEY_BYTES = 16;
const AREA_BYTES = 65536;
const DATA_OFFSET_BYTES = 2 * 0x4000 + 4 * AREA_BYTES;
const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;
const secret = (text: string) => Secret.from(new TextEncoder().encode(text));
const first = secret('first');
const second = secret('second');
const third = secret('third');
const key = Secret.from(new Uint8Array(KEY_BYTES).fill(7));

/** Changes many sectors of the header. */
const LARGE_TOKEN = JSON.stringify({ type: 'own', keyslots: ['1'], text: 'x'.repeat(4000) });

/** Slots 0 and 1, a token, and room for two more. */
let image: Uint8Array;

beforeAll(async () => {
  const disk = new MemoryByteDisk(DATA_OFFSET_BYTES + 4096);
  const volume = await formatLuks2(disk, {
    cipher: 'aes-cbc-plain64',
    volumeKey: key,
    dataOffsetBytes: DATA_OFFSET_BYTES,
    key: { passphrase: first, pbkdf },
  });
  await volume.addKey(key, { passphrase: second, pbkdf });
  await volume.importToken('{"type":"own","keyslots":["0"]}');
  image = disk.bytes;
});

interface Change {
  what: string;
  /** Passphrases one of which must open. */
  either: Secret[];
  /** Those that must open in any case. */
  always: Secret[];
  act(volume: Luks2OnDisk): Promise<unknown>;
}

const changes: Change[] = [
  {
    what: 'addKey',
    either: [],
    always: [first, second],
    act: (volume) => volume.addKey(key, { passphrase: third, pbkdf }),
  },
  {
    what: 'changeKey',
    either: [first, third],
    always: [second],
    act: (volume) => volume.changeKey(key, 0, { passphrase: third, pbkdf }),
  },
  {
    what: 'changeKey to another slot',
    either: [first, third],
    always: [second],
    act: (volume) => volume.changeKey(key, 0, { passphrase: third, pbkdf, slot: 9 }),
  },
  { what: 'killSlot', either: [], always: [second], act: (volume) => volume.killSlot(0) },
  {
    what: 'addUnboundKey',
    either: [],
    always: [first, second],
    act: (volume) => volume.addUnboundKey(secret('0123456789'), { passphrase: third, pbkdf }),
  },
  {
    what: 'importToken',
    either: [],
    always: [first, second],
    act: (volume) => volume.importToken(LARGE_TOKEN),
  },
  {
    what: 'setLabels',
    either: [],
    always: [first, second],
    act: (volume) => volume.setLabels({ label: 'other' }),
  },
  {
    what: 'setPriority twice',
    either: [],
    always: [first, second],
    act: async (volume) => {
      await volume.setPriority(0, 'prefer');
      await volume.setPriority(1, 'prefer');
    },
  },
];

async function opens(volume: Luks2OnDisk, passphrase: Secret): Promise<boolean> {
  try {
    const { volumeKey } = await volume.unlock(passphrase);
    expect([...volumeKey.bytes]).toEqual([...key.bytes]);
    return true;
  } catch {
    return false;
  }
}

/** What matters of a volume: its header and the areas that it names. Crashes that leave the same are one. */
function stateOf(volume: Luks2OnDisk, bytes: Uint8Array): string {
  const hash = createHash('sha256').update(volume.metadataText()).update(volume.label);
  for (const { area } of volume.header.metadata.keyslots.values()) {
    const start = Number(area.offset);
    hash.update(bytes.subarray(start, start + Number(area.size)));
  }
  return hash.digest('hex');
}

async function checkCrashes(disk: CrashDisk, change: Pick<Change, 'either' | 'always'>) {
  const seen = new Set<string>();
  let count = 0;
  for (const crash of disk.crashes(createPrng(testSeed()), { tearCount: 32, lossCount: 3 })) {
    count += 1;
    const volume = await openLuks2(new MemoryByteDisk(crash.bytes)).catch((error: unknown) => {
      throw new Error(`${crash.name}: ${String(error)}`);
    });
    const state = stateOf(volume, crash.bytes);
    if (seen.has(state)) continue;
    seen.add(state);
    for (const passphrase of change.always) {
      expect(await opens(volume, passphrase), crash.name).toBe(true);
    }
    const opened = await Promise.all(change.either.map((one) => opens(volume, one)));
    if (opened.length > 0) expect(opened.includes(true), crash.name).toBe(true);
  }
  return { count, stateCount: seen.size };
}

describe('a crash', () => {
  test.each(changes)('in $what', async (change) => {
    const disk = new CrashDisk(image);
    await change.act(await openLuks2(disk));
    const { count, stateCount } = await checkCrashes(disk, change);
    expect(count).toBeGreaterThan(70);
    expect(stateCount).toBe(change.what.endsWith('twice') ? 3 : 2);
  });

  test.each(['primary', 'secondary'] as const)('with a bad %s copy', async (copy) => {
    const damaged = image.slice();
    damaged.fill(0xff, copy === 'primary' ? 512 : 0x4000 + 4096, 0x4000 + 8192);
    const disk = new CrashDisk(copy === 'primary' ? withBadPrimary() : damaged);
    await (await openLuks2(disk)).importToken(LARGE_TOKEN, { token: 7 });
    await checkCrashes(disk, { either: [], always: [first, second] });
    const after = await openLuks2(new MemoryByteDisk(disk.bytes));
    expect(after.header.damage).toEqual({ primary: null, secondary: null });
    expect(after.tokenText(7)).toBe(LARGE_TOKEN);
  });

  test('in repair', async () => {
    const disk = new CrashDisk(withBadPrimary());
    await repairHeader(disk);
    await checkCrashes(disk, { either: [], always: [first, second] });
    expect((await openLuks2(disk)).header.damage.primary).toBeNull();
  });
});

function withBadPrimary(): Uint8Array {
  const bytes = image.slice();
  bytes[5000]! ^= 1;
  return bytes;
}

describe('a change without room for a new area', () => {
  async function full(): Promise<Uint8Array> {
    const disk = new MemoryByteDisk(image.slice());
    const volume = await openLuks2(disk);
    await volume.addKey(key, { passphrase: secret('fourth'), pbkdf });
    await volume.addKey(key, { passphrase: secret('fifth'), pbkdf });
    return disk.bytes;
  }

  test.each([undefined, 9])('overwrites the old one, slot asked for: %s', async (slot) => {
    const disk = new MemoryByteDisk(await full());
    const volume = await openLuks2(disk);
    await expect(volume.addKey(key, { passphrase: third, pbkdf })).rejects.toThrow(
      'No space for new keyslot',
    );
    const request = { passphrase: third, pbkdf, ...(slot !== undefined && { slot }) };
    const { offset, size } = volume.header.metadata.keyslots.get(0)!.area;
    expect(await volume.changeKey(key, 0, request)).toBe(slot ?? 0);
    const after = await openLuks2(disk);
    expect(after.header.metadata.keyslots.get(slot ?? 0)!.area).toMatchObject({ offset, size });
    expect(await opens(after, third)).toBe(true);
    expect(await opens(after, first)).toBe(false);
    expect(await opens(after, second)).toBe(true);
  });

  test('killed anywhere touches no other slot', async () => {
    const disk = new CrashDisk(await full());
    await (await openLuks2(disk)).changeKey(key, 0, { passphrase: third, pbkdf });
    await checkCrashes(disk, { either: [], always: [second] });
  });
});

describe('key material', () => {
  test('of a killed slot is gone', async () => {
    const disk = new MemoryByteDisk(image.slice());
    const areaStart = 2 * 0x4000;
    const before = disk.bytes.slice(areaStart, areaStart + AREA_BYTES);
    await (await openLuks2(disk)).killSlot(0);
    const after = disk.bytes.subarray(areaStart, areaStart + AREA_BYTES);
    const sameCount = after.filter((byte, index) => byte === before[index]).length;
    expect(sameCount).toBeLessThan(AREA_BYTES / 100);
  });

  test('and a backup brings it back', async () => {
    const backup = new MemoryByteDisk(image.slice(0, DATA_OFFSET_BYTES), { name: 'backup' });
    const disk = new MemoryByteDisk(image.slice());
    const volume = await openLuks2(disk);
    await volume.killSlot(0);
    expect(await opens(volume, first)).toBe(false);
    const plan = await restoreHeader(disk, backup);
    expect(plan.warnings).toEqual([]);
    expect(await opens(await openLuks2(disk), first)).toBe(true);
  });
});
