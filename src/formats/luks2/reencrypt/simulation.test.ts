/**
 * Re-encryption under power failures: every kind, every resilience, killed at every write, with writes torn and unflushed ones lost, then resumed
 * (and killed again). Header and data may lie on two disks, which lose their caches apart. A quick cipher of our own stands for the real ones.
 */

import { describe, expect, test } from 'vitest';
import { createPrng, type Prng } from '../../../base/prng.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import { Secret } from '../../../crypto/secret.ts';
import { MemoryByteDisk } from '../../../testing/memory-disk.ts';
import type { Luks2Header } from '../header.ts';
import { parseJson } from '../json-text.ts';
import { metadataOf } from '../metadata.ts';
import { readHeader } from '../read-header.ts';
import { writeNewHeader } from '../write-header.ts';
import { reencryptSegments } from './mapped-segments.ts';
import * as reencrypt from './reencrypt.ts';
import { type RunContext, recoverReencrypt, runReencrypt } from './run.ts';
import type { OpenSide } from './side-cipher.ts';
import { reencryptStatus } from './status.ts';
import type { ReencryptDisks, ReencryptTuning } from './types.ts';

const seed = Number(process.env['REENCRYPT_SEED'] ?? 1);
const crashesPerKind = Number(process.env['REENCRYPT_CRASHES'] ?? 40);

const SECTOR = 512;
const HEADER = 0x4000;
const SLOTS = 8192;
const FRONT = 2 * HEADER + SLOTS;
const ZONE = 4096;
/** Where data begin behind a header that comes in front; the gap has plain text at first. */
const AHEAD = FRONT + ZONE;

/** Sector `n` of side `key`: every byte differs with key and sector. Its own inverse. */
function scramble(bytes: Uint8Array, key: number, logicalBytes: number): void {
  for (let at = 0; at < bytes.length; at += 1) {
    const sector = Math.floor((logicalBytes + at) / SECTOR);
    bytes[at] = bytes[at]! ^ ((Math.imul(sector + 1, 2654435761) >>> 13) + key * 89 + at * 7);
  }
}

const openSide: OpenSide = (side, key) => {
  const number = side.cipher === null ? 0 : key!.bytes[0]!;
  const apply = (bytes: Uint8Array, logicalBytes: number) => {
    expect(logicalBytes % side.sectorBytes).toBe(0);
    expect(bytes.byteLength % side.sectorBytes).toBe(0);
    if (number > 0) scramble(bytes, number, logicalBytes + side.ivTweak * SECTOR);
  };
  return { decrypt: apply, encrypt: apply, [Symbol.dispose]: () => undefined };
};

const OLD = 1;
const NEW = 2;
const keyOf = (number: number) => Secret.from(new Uint8Array(32).fill(number));

/** The plain text: sectors that tell which they are. */
function plainText(lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes; at += 1)
    bytes[at] = 1 + ((at % 251) ^ Math.floor(at / SECTOR));
  return bytes;
}

function encrypted(plain: Uint8Array, key: number): Uint8Array {
  const bytes = plain.slice();
  if (key > 0) scramble(bytes, key, 0);
  return bytes;
}

const digest = (segments: string[]) => ({
  type: 'pbkdf2',
  keyslots: [],
  segments,
  hash: 'sha256',
  iterations: 1000,
  salt: Buffer.alloc(32, 1).toString('base64'),
  digest: Buffer.alloc(32, 2).toString('base64'),
});

async function format(disk: ByteDisk, offsetBytes: number): Promise<Luks2Header> {
  const segment = {
    type: 'crypt',
    offset: String(offsetBytes),
    size: 'dynamic',
    iv_tweak: '0',
    encryption: 'aes-xts-plain64',
    sector_size: SECTOR,
  };
  const text = JSON.stringify({
    keyslots: {},
    tokens: {},
    segments: { 0: segment },
    digests: { 0: digest(['0']), 1: digest([]) },
    config: { json_size: String(HEADER - 4096), keyslots_size: String(SLOTS) },
  });
  const salts = { primary: new Uint8Array(64), secondary: new Uint8Array(64) };
  return writeNewHeader(disk, {
    headerBytes: HEADER,
    sequenceId: 1n,
    uuid: 'f0f0f0f0-0000-4000-8000-000000000000',
    label: '',
    subsystem: '',
    checksumAlgorithm: 'sha256',
    salts,
    metadata: metadataOf(parseJson(text).value),
    damage: { primary: null, secondary: null },
  });
}

type Step =
  | { kind: 'write'; disk: number; offsetBytes: number; bytes: Uint8Array }
  | { kind: 'flush'; disk: number };

/** Disks whose writes are kept in one order, each with a cache of its own. */
class Recorder {
  readonly steps: Step[] = [];
  readonly #before: Uint8Array[];
  readonly disks: ByteDisk[];

  constructor(images: readonly Uint8Array[]) {
    this.#before = images.map((image) => image.slice());
    this.disks = images.map((image, disk) => {
      const now = new MemoryByteDisk(image.slice());
      return {
        name: `disk ${disk}`,
        sizeBytes: now.sizeBytes,
        sectorBytes: SECTOR,
        readOnly: false,
        read: (offsetBytes, lengthBytes) => now.read(offsetBytes, lengthBytes),
        write: (offsetBytes, bytes) => {
          this.steps.push({ kind: 'write', disk, offsetBytes, bytes: bytes.slice() });
          return now.write(offsetBytes, bytes);
        },
        flush: () => {
          this.steps.push({ kind: 'flush', disk });
          return Promise.resolve();
        },
      };
    });
  }

  /** After the first steps: what was flushed is there; of the rest the sectors that `survives` says; the last write also torn. */
  crash(stepCount: number, survives: () => boolean, tornAt: number): Uint8Array[] {
    const images = this.#before.map((image) => image.slice());
    const steps = this.steps.slice(0, stepCount);
    for (const [index, step] of steps.entries()) {
      if (step.kind === 'flush') continue;
      const { disk, offsetBytes, bytes } = step;
      const isFlushed = steps
        .slice(index)
        .some((later) => later.kind === 'flush' && later.disk === disk);
      const isLast = index === steps.length - 1;
      for (let at = 0; at < bytes.length; at += SECTOR) {
        if (!isFlushed && !survives()) continue;
        if (isLast && at >= tornAt) break;
        images[disk]!.set(bytes.subarray(at, at + SECTOR), offsetBytes + at);
      }
    }
    return images;
  }
}

interface Kind {
  name: string;
  /** Bytes of the data disk in front of the data, before. */
  front: number;
  detached: boolean;
  dataBytes: number;
  /** Behind the data. */
  spareBytes: number;
  keys: { old: number; new: number };
  begin: (disks: ReencryptDisks, header: Luks2Header) => Promise<Luks2Header>;
  tuning?: ReencryptTuning;
  /** Where the volume begins afterwards. */
  finalOffset: number;
  finalBytes: number;
}

const tunings: Record<string, ReencryptTuning> = {
  checksum: { resilience: 'checksum', hotzoneBytes: ZONE },
  journal: { resilience: 'journal', hotzoneBytes: ZONE },
};

function kinds(): Kind[] {
  const all: Kind[] = [];
  const dataBytes = 3 * ZONE + 1024;
  for (const [name, tuning] of Object.entries(tunings)) {
    const base = { tuning, spareBytes: 0, dataBytes, finalBytes: dataBytes };
    all.push({
      ...base,
      name: `change of the key, ${name}`,
      front: FRONT,
      detached: false,
      keys: { old: OLD, new: NEW },
      finalOffset: FRONT,
      begin: (disks, header) =>
        reencrypt.beginReencrypt(disks, header, {
          ...tuning,
          oldKey: keyOf(OLD),
          newKey: keyOf(NEW),
          newDigest: 1,
        }),
    });
    all.push({
      ...base,
      name: `encryption with a detached header, ${name}`,
      front: 0,
      detached: true,
      keys: { old: 0, new: NEW },
      finalOffset: 0,
      begin: (disks, header) =>
        reencrypt.beginEncrypt(disks, header, { ...tuning, volumeKey: keyOf(NEW) }),
    });
    all.push({
      ...base,
      name: `decryption with a detached header, ${name}`,
      front: 0,
      detached: true,
      keys: { old: OLD, new: 0 },
      finalOffset: 0,
      begin: (disks, header) =>
        reencrypt.beginDecrypt(disks, header, { ...tuning, volumeKey: keyOf(OLD) }),
    });
    all.push({
      ...base,
      name: `decryption with an exported header, ${name}`,
      front: FRONT,
      detached: true,
      dataBytes: FRONT + 3 * ZONE,
      keys: { old: OLD, new: 0 },
      finalOffset: 0,
      finalBytes: FRONT + 3 * ZONE,
      begin: (disks, header) =>
        reencrypt.beginDecryptShifted(disks, header, { ...tuning, volumeKey: keyOf(OLD) }),
    });
  }
  all.push({
    name: 'encryption with the header in front',
    front: 0,
    detached: false,
    dataBytes: 2 * AHEAD + 3 * ZONE,
    spareBytes: 2 * AHEAD,
    keys: { old: 0, new: NEW },
    finalOffset: AHEAD,
    finalBytes: 2 * AHEAD + 3 * ZONE,
    begin: (disks, header) =>
      reencrypt.beginEncrypt(disks, header, { reduceBytes: 2 * AHEAD, volumeKey: keyOf(NEW) }),
  });
  const shiftBytes = 2 * ZONE;
  all.push({
    name: 'change of the key with datashift',
    front: FRONT,
    detached: false,
    dataBytes: 5 * ZONE,
    spareBytes: shiftBytes,
    keys: { old: OLD, new: NEW },
    finalOffset: FRONT + shiftBytes,
    finalBytes: 5 * ZONE,
    begin: (disks, header) =>
      reencrypt.beginReencrypt(disks, header, {
        shiftBytes,
        oldKey: keyOf(OLD),
        newKey: keyOf(NEW),
        newDigest: 1,
      }),
  });
  return all;
}

interface Begun {
  images: Uint8Array[];
  plain: Uint8Array;
}

/** Disk 0 has the data, disk 1 a detached header. */
async function begun(kind: Kind): Promise<Begun> {
  const plain = plainText(kind.dataBytes);
  const image = new Uint8Array(kind.front + kind.dataBytes + kind.spareBytes);
  image.set(encrypted(plain, kind.keys.old), kind.front);
  const data = new MemoryByteDisk(image);
  const isPlaced = !kind.detached && kind.keys.old === 0;
  const isInFront = kind.front > 0 && !kind.detached;
  const header = isInFront ? data : new MemoryByteDisk(FRONT);
  const formatted = await format(header, isPlaced ? AHEAD : kind.front);
  const placed = await kind.begin({ header, data }, formatted);
  if (isPlaced) await reencrypt.placeHeader(header, data, placed);
  return { images: kind.detached ? [data.bytes, header.bytes] : [data.bytes], plain };
}

async function contextOf(kind: Kind, disks: readonly ByteDisk[]): Promise<RunContext> {
  const data = disks[0]!;
  const header = disks[1] ?? data;
  return {
    disks: { header, data },
    header: await readHeader(header),
    keys: {
      old: kind.keys.old > 0 ? keyOf(kind.keys.old) : null,
      new: kind.keys.new > 0 ? keyOf(kind.keys.new) : null,
    },
    openSide,
  };
}

const options = (kind: Kind) =>
  kind.tuning?.hotzoneBytes === undefined ? {} : { hotzoneBytes: kind.tuning.hotzoneBytes };

/** What somebody who opens it then sees. */
async function mapped(kind: Kind, context: RunContext, header: Luks2Header): Promise<Uint8Array> {
  const { data } = context.disks;
  const view = new Uint8Array(kind.finalBytes);
  const rows = reencryptSegments(header.metadata, data.sizeBytes);
  for (const row of rows) {
    const bytes = await data.read(row.offsetSectors * SECTOR, row.lengthSectors * SECTOR);
    const isNew = row.digest === (kind.keys.old > 0 && kind.keys.new > 0 ? 1 : -1);
    const key = row.cipher === null ? 0 : isNew ? NEW : Math.max(kind.keys.old, kind.keys.new);
    const number = kind.keys.old > 0 && kind.keys.new > 0 ? (row.digest === 1 ? NEW : OLD) : key;
    if (row.cipher !== null) scramble(bytes, number, Number(row.ivOffset) * SECTOR);
    view.set(bytes, row.startSectors * SECTOR);
  }
  return view;
}

async function expectDone(kind: Kind, disks: readonly ByteDisk[], plain: Uint8Array, at: string) {
  const { header, disks: both } = await contextOf(kind, disks);
  expect(reencryptStatus(header.metadata), at).toBe('none');
  const [segment] = header.metadata.segments.values();
  expect(segment, at).toMatchObject({ offset: String(kind.finalOffset), size: 'dynamic' });
  expect(header.metadata.segments.size, at).toBe(1);
  expect(header.metadata.tokens.size, at).toBe(0);
  const found = await both.data.read(kind.finalOffset, kind.finalBytes);
  if (kind.keys.new > 0) scramble(found, kind.keys.new, 0);
  expect(Buffer.compare(found, plain), at).toBe(0);
  if (kind.keys.old === 0) expectNoPlain(await both.data.read(0, both.data.sizeBytes), plain, at);
}

function expectNoPlain(image: Uint8Array, plain: Uint8Array, at: string): void {
  const buffer = Buffer.from(image);
  for (let sector = 0; sector < plain.length; sector += SECTOR) {
    const place = buffer.indexOf(plain.subarray(sector, sector + SECTOR));
    expect(place, `${at}: sector ${sector / SECTOR} in plain text`).toBe(-1);
  }
}

interface Picked {
  stepCount: number;
  survives: () => boolean;
  tornAt: number;
  name: string;
}

function pickCrash(recorder: Recorder, prng: Prng, stepCount: number): Picked {
  const last = recorder.steps[stepCount - 1]!;
  const lengthBytes = last.kind === 'write' ? last.bytes.length : 0;
  const tornAt = prng.chance(0.6) ? prng.integer(0, lengthBytes / SECTOR) * SECTOR : lengthBytes;
  const loss = prng.pick([0, 0.3, 1]);
  return {
    stepCount,
    tornAt,
    survives: () => !prng.chance(loss),
    name: `step ${stepCount} of ${recorder.steps.length}, torn at ${tornAt} of ${lengthBytes}, ${loss} lost`,
  };
}

describe.each(kinds())('$name', (kind) => {
  test('without a crash', async () => {
    const { images, plain } = await begun(kind);
    const disks = images.map((image) => new MemoryByteDisk(image));
    const context = await contextOf(kind, disks);
    expect(Buffer.compare(await mapped(kind, context, context.header), plain)).toBe(0);
    const seen: number[] = [];
    const { result } = await runReencrypt(context, {
      ...options(kind),
      onProgress: ({ doneBytes, totalBytes }) => {
        expect(totalBytes).toBe(kind.finalBytes);
        seen.push(doneBytes);
      },
    });
    expect(result).toBe('finished');
    expect(seen[0]).toBe(0);
    expect(seen.at(-1)).toBe(kind.finalBytes);
    expect(seen).toEqual([...seen].sort((left, right) => left - right));
    await expectDone(kind, disks, plain, 'at the end');
  });

  test(`killed at many points (seed ${seed})`, async () => {
    const prng = createPrng(seed);
    const { images, plain } = await begun(kind);
    const first = new Recorder(images);
    await runReencrypt(await contextOf(kind, first.disks), options(kind));
    const counts = Array.from({ length: first.steps.length }, (_, index) => index + 1);
    const every = Math.max(1, counts.length / crashesPerKind);
    for (let at = 0; at < counts.length; at += every) {
      const crash = pickCrash(first, prng, counts[Math.floor(at)]!);
      await survive(kind, first, crash, plain, prng, `seed ${seed}, ${crash.name}`);
    }
  }, 60_000);
});

test(`the header comes in front, killed at many points (seed ${seed})`, async () => {
  const prng = createPrng(seed);
  const kind = kinds().find(({ name }) => name === 'encryption with the header in front')!;
  const plain = plainText(kind.dataBytes);
  const image = new Uint8Array(kind.dataBytes + kind.spareBytes);
  image.set(plain);
  const file = new MemoryByteDisk(FRONT);
  const formatted = await format(file, AHEAD);
  const recorder = new Recorder([image, file.bytes]);
  const [data, header] = recorder.disks as [ByteDisk, ByteDisk];
  await reencrypt.placeHeader(header, data, await kind.begin({ header, data }, formatted));
  for (let stepCount = 1; stepCount <= recorder.steps.length; stepCount += 1) {
    const crash = pickCrash(recorder, prng, stepCount);
    const images = recorder.crash(stepCount, crash.survives, crash.tornAt);
    const disks = images.map((bytes) => new MemoryByteDisk(bytes));
    const saved = await readHeader(disks[1]!);
    if (reencryptStatus(saved.metadata) === 'none') {
      const kept = await disks[0]!.read(0, plain.length);
      expect(Buffer.compare(kept, plain), crash.name).toBe(0);
      continue;
    }
    await reencrypt.placeHeader(disks[1]!, disks[0]!, saved);
    await runReencrypt(await contextOf(kind, [disks[0]!]), {});
    await expectDone(kind, [disks[0]!], plain, crash.name);
  }
}, 60_000);

async function survive(
  kind: Kind,
  recorder: Recorder,
  crash: Picked,
  plain: Uint8Array,
  prng: Prng,
  at: string,
): Promise<void> {
  const images = recorder.crash(crash.stepCount, crash.survives, crash.tornAt);
  const disks = images.map((image) => new MemoryByteDisk(image));
  const context = await contextOf(kind, disks);
  const status = reencryptStatus(context.header.metadata);
  if (status === 'finishing') {
    await runReencrypt(context, options(kind));
  } else if (status !== 'none') {
    if (prng.chance(0.2)) return surviveAgain(kind, images, plain, prng, at);
    context.header = await recoverReencrypt(context);
    const after = reencryptStatus(context.header.metadata);
    if (after === 'clean') {
      const view = await mapped(kind, context, context.header);
      expect(Buffer.compare(view, plain), `${at}: opened after recovery`).toBe(0);
      await runReencrypt(context, options(kind));
    }
  }
  await expectDone(kind, disks, plain, at);
}

/** Killed once more while it resumes. */
async function surviveAgain(
  kind: Kind,
  images: readonly Uint8Array[],
  plain: Uint8Array,
  prng: Prng,
  at: string,
): Promise<void> {
  const second = new Recorder(images);
  await runReencrypt(await contextOf(kind, second.disks), options(kind));
  const crash = pickCrash(second, prng, prng.integer(1, second.steps.length));
  await survive(kind, second, crash, plain, prng, `${at}; then ${crash.name}`);
}
