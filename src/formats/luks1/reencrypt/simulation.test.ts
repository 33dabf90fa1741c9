/**
 * Re-encryption of LUKS1 under power failures: each kind is killed at many writes, with writes torn and unflushed ones lost, then resumed from the state file (and
 * killed again). What happens to the data in between is simulated with LUKS2's; here it is the mark, the state file and the header's way to its place.
 */

import { expect, test } from 'vitest';
import { createPrng, type Prng } from '../../../base/prng.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import { parseCipherSpec } from '../../../crypto/cipher-spec.ts';
import { createSectorCipher } from '../../../crypto/create-sector-cipher.ts';
import { Secret } from '../../../crypto/secret.ts';
import { MemoryByteDisk } from '../../../testing/memory-disk.ts';
import { pickCrash, RecordingDisks } from '../../../testing/recording-disks.ts';
import { readHeader } from '../../luks2/read-header.ts';
import { runReencrypt } from '../../luks2/reencrypt/run.ts';
import { reencryptDigests } from '../../luks2/reencrypt/state.ts';
import { unlock } from '../../luks2/unlock.ts';
import { formatLuks1 } from '../format.ts';
import { type Luks1Volume, openLuks1 } from '../volume.ts';
import { beginLuks1Decrypt, prepareChange, prepareDecrypt, prepareEncrypt } from './begin.ts';
import { markNew, markUnusable, readFront } from './mark.ts';
import { placeLuks1Header } from './place.ts';
import { nextPart } from './resume.ts';
import { comingHeader, readComing, stateFileBytes } from './state-file.ts';

const seed = Number(process.env['REENCRYPT_SEED'] ?? 1);
const crashCount = Number(process.env['REENCRYPT_CRASHES'] ?? 4);

const KIB = 1024;
const FRONT_BYTES = 1024 * KIB;
const DATA_BYTES = 512 * KIB;
const PASSPHRASE = Secret.from(new TextEncoder().encode('correct horse'));
const pbkdf = { forceIterations: 1000 };
const key = { passphrase: PASSPHRASE, pbkdf };
const tuning = { hotzoneBytes: 128 * KIB };
const old = { cipher: 'aes-cbc-essiv:sha256', keyBytes: 16 };
const keyOf = (seedByte: number, lengthBytes: number) =>
  Secret.from(Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 7 + seedByte) % 256));

/** Sectors that no other one equals. */
const PLAIN = Uint8Array.from(
  { length: DATA_BYTES },
  (_, at) =>
    1 + ((at % 251) ^ (Math.floor(at / 512) % 4)) + (at % 512 < 2 ? Math.floor(at / 512) % 97 : 0),
);

/** The image, the state file, and a detached header. */
interface Disks {
  data: ByteDisk;
  file: ByteDisk;
  front: ByteDisk;
}

interface Kind {
  name: string;
  images: () => Promise<Uint8Array[]>;
  newKeyBytes: number | null;
  /** `commit`: the state file has its name from now on. */
  begin: (disks: Disks, commit: () => void) => Promise<void>;
  /** Where the plain text lies in the end; null: it is encrypted. */
  plainAt: number | null;
}

const kinds: Kind[] = [
  {
    name: 'change of key and cipher',
    images: async () => [await luks1Image()],
    newKeyBytes: 24,
    plainAt: null,
    begin: async ({ data, file, front }, commit) => {
      const volume = await openLuks1(front);
      const { volumeKey: oldKey } = await volume.unlock(PASSPHRASE);
      const coming = {
        cipher: 'aes-cbc-plain64',
        newKey: keyOf(3, 24),
        keys: [{ ...key, slot: 5 }],
      };
      await prepareChange({ header: file, data }, volume, { ...coming, oldKey, tuning });
      commit();
      await markUnusable(front);
    },
  },
  {
    name: 'encryption',
    images: async () => {
      const image = new Uint8Array(DATA_BYTES + 2 * FRONT_BYTES);
      image.set(PLAIN);
      return [image];
    },
    newKeyBytes: 16,
    plainAt: null,
    begin: (disks, commit) => encrypt(disks, commit, { reduceBytes: 2 * FRONT_BYTES }),
  },
  {
    name: 'encryption with a detached header',
    images: async () => [PLAIN.slice(), new Uint8Array(FRONT_BYTES)],
    newKeyBytes: 16,
    plainAt: null,
    begin: (disks, commit) => encrypt(disks, commit, {}),
  },
  {
    name: 'decryption',
    images: async () => [await luks1Image()],
    newKeyBytes: null,
    plainAt: 0,
    begin: async ({ data, file, front }, commit) => {
      const volume = await openLuks1(front);
      const { volumeKey } = await volume.unlock(PASSPHRASE);
      await prepareDecrypt({ header: file, data }, volume, { volumeKey, key });
      commit();
      await markUnusable(front);
      const disks = { header: file, data };
      await beginLuks1Decrypt(disks, await readHeader(file), { ...tuning, volumeKey });
    },
  },
];

async function encrypt(
  { data, file, front }: Disks,
  commit: () => void,
  room: { reduceBytes?: number },
): Promise<void> {
  const coming = { cipher: old.cipher, newKey: keyOf(5, 16), keys: [key] };
  // A datashift decides itself how much is under way.
  const chosen = room.reduceBytes === undefined ? tuning : {};
  await prepareEncrypt({ header: file, data }, { ...coming, ...room, tuning: chosen });
  commit();
  await markNew(front, await readComing(comingHeader(file)!));
}

async function luks1Image(): Promise<Uint8Array> {
  const disk = new MemoryByteDisk(FRONT_BYTES + DATA_BYTES);
  const volume = await formatLuks1(disk, { ...old, volumeKey: keyOf(1, 16), key });
  disk.bytes.set(crypt(volume, keyOf(1, 16), PLAIN, 'encrypt'), volume.dataOffsetBytes);
  return disk.bytes;
}

function crypt(
  volume: Luks1Volume,
  secret: Secret,
  bytes: Uint8Array,
  way: 'encrypt' | 'decrypt',
): Uint8Array {
  const spec = parseCipherSpec(volume.cipher);
  const options = {
    spec,
    key: secret.bytes,
    sectorBytes: 512,
    ivLargeSectors: false,
    ivOffset: 0n,
  };
  using cipher = createSectorCipher(options);
  const result = new Uint8Array(bytes.byteLength);
  cipher[way](bytes, 0, result, 0, bytes.byteLength, 0);
  return result;
}

const named = ([data, file, front]: readonly ByteDisk[]): Disks => ({
  data: data!,
  file: file!,
  front: front ?? data!,
});

/** As the command goes on. False: it has to begin anew. */
async function resume({ data, file, front }: Disks): Promise<boolean> {
  let header = await readHeader(file);
  const disks = { header: file, data };
  const part = await nextPart(file, header, front);
  if (part === 'drop') return false;
  if (part === 'decrypt') {
    const { volumeKey } = await unlock(file, header.metadata, PASSPHRASE);
    header = await beginLuks1Decrypt(disks, header, { ...tuning, volumeKey });
  }
  if (part === 'run' || part === 'decrypt') {
    const digests = reencryptDigests(header.metadata);
    const keyFor = async (digest: number | null) =>
      digest === null
        ? null
        : (await unlock(file, header.metadata, PASSPHRASE, { digest })).volumeKey;
    const keys = { old: await keyFor(digests.old), new: await keyFor(digests.new) };
    await runReencrypt({ disks, header, keys }, digests.old === null ? {} : tuning);
  }
  const coming = comingHeader(file);
  if (part !== 'done' && coming) await placeLuks1Header(coming, front);
  return true;
}

async function beginAndRun(kind: Kind, disks: Disks, commit: () => void): Promise<void> {
  await kind.begin(disks, commit);
  expect(await resume(disks)).toBe(true);
}

async function expectDone(kind: Kind, { data, front }: Disks, at: string): Promise<void> {
  if (kind.plainAt !== null) {
    expect(Buffer.compare(await data.read(kind.plainAt, DATA_BYTES), PLAIN), at).toBe(0);
    return;
  }
  const volume = await openLuks1(front);
  const { volumeKey } = await volume.unlock(PASSPHRASE);
  const sealed = await data.read(volume.dataOffsetBytes, DATA_BYTES);
  expect(Buffer.compare(crypt(volume, volumeKey, sealed, 'decrypt'), PLAIN), at).toBe(0);
  const all = Buffer.from(await data.read(0, data.sizeBytes));
  for (let sector = 0; sector < DATA_BYTES; sector += 512 * 16) {
    expect(all.indexOf(PLAIN.subarray(sector, sector + 512)), `${at}: plain text is left`).toBe(-1);
  }
}

async function emptyState(kind: Kind): Promise<Uint8Array[]> {
  const [data, ...front] = await kind.images();
  return [data!, new Uint8Array(stateFileBytes(kind.newKeyBytes)), ...front];
}

test.each(kinds)(
  '$name, killed at many points',
  async (kind) => {
    const prng = createPrng(seed);
    const images = await emptyState(kind);
    const recorder = new RecordingDisks(images);
    let committedCount = 0;
    await beginAndRun(kind, named(recorder.disks), () => {
      committedCount = recorder.steps.length;
    });
    await expectDone(kind, named(recorder.disks), 'at the end');
    const total = recorder.steps.length;
    // Before: the same point each time, a state file that is thrown away. After: spread, and each of the first and the last ones.
    const counts = new Set([
      committedCount,
      committedCount + 1,
      committedCount + 2,
      total - 1,
      total,
    ]);
    for (let index = 0; index < crashCount; index += 1)
      counts.add(prng.integer(committedCount, total));
    for (const stepCount of counts) {
      const crash = pickCrash(recorder, prng, stepCount);
      const left = recorder.crash(stepCount, crash.survives, crash.tornAt);
      await survive(kind, left, stepCount === committedCount && prng.chance(0.5), prng, crash.name);
    }
  },
  60_000,
);

async function survive(
  kind: Kind,
  images: Uint8Array[],
  isPartial: boolean,
  prng: Prng,
  at: string,
): Promise<void> {
  const [data, file, ...front] = images;
  const state = isPartial ? null : new MemoryByteDisk(file!);
  const disks = [
    new MemoryByteDisk(data!),
    state,
    ...front.map((each) => new MemoryByteDisk(each)),
  ];
  if (state && prng.chance(0.3)) {
    const second = new RecordingDisks(images);
    const isResumed = await resume(named(second.disks));
    if (isResumed && second.steps.length > 0) {
      const crash = pickCrash(second, prng, Math.max(1, second.steps.length - prng.integer(0, 40)));
      const left = second.crash(crash.stepCount, crash.survives, crash.tornAt);
      return await survive(kind, left, false, prng, `${at}; then ${crash.name}`);
    }
  }
  const isDone = state !== null && (await resume(named(disks as ByteDisk[])));
  if (!isDone) {
    disks[1] = new MemoryByteDisk(stateFileBytes(kind.newKeyBytes));
    await beginAndRun(kind, named(disks as ByteDisk[]), () => undefined);
  }
  await expectDone(kind, named(disks as ByteDisk[]), at);
}

test('a volume that was put back over a half-done one is not touched', async () => {
  const kind = kinds[0]!;
  const [image, file] = (await emptyState(kind)).map((bytes) => new MemoryByteDisk(bytes));
  const disks = named([image!, file!]);
  const before = image!.bytes.slice();
  await kind.begin(disks, () => undefined);
  expect((await readFront(image!)).kind).toBe('marked');
  await expect(openLuks1(image!)).rejects.toThrow('magic');
  const header = await readHeader(file!);
  expect(await nextPart(file!, header, new MemoryByteDisk(before))).toBe('drop');
  const digests = reencryptDigests(header.metadata);
  const keyFor = async (digest: number) =>
    (await unlock(file!, header.metadata, PASSPHRASE, { digest })).volumeKey;
  const keys = { old: await keyFor(digests.old!), new: await keyFor(digests.new!) };
  const controller = new AbortController();
  const run = { disks: { header: file!, data: image! }, header, keys };
  const half = await runReencrypt(run, {
    ...tuning,
    signal: controller.signal,
    onProgress: ({ doneBytes }) => doneBytes > 0 && controller.abort(),
  });
  expect(half.result).toBe('interrupted');
  const put = new MemoryByteDisk(before);
  await expect(nextPart(file!, half.header, put)).rejects.toThrow('delete that file');
  expect(await resume(disks)).toBe(true);
  await expectDone(kind, disks, 'at the end');
});
