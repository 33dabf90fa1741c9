/**
 * Re-encryption under power failures: every kind, every resilience, killed at every write, with writes torn and unflushed ones lost, then resumed
 * (and killed again). Header and data may lie on two disks, which lose their caches apart. A quick cipher of our own stands for the real ones.
 */

import { describe, expect, test } from 'vitest';
import { createPrng, type Prng } from '../../../base/prng.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import { MemoryByteDisk } from '../../../testing/memory-disk.ts';
import { type Crash, pickCrash, RecordingDisks } from '../../../testing/recording-disks.ts';
import {
  AHEAD,
  FRONT,
  formatForReencrypt,
  keyOf,
  NEW,
  OLD,
  openSide,
  type ReencryptKind,
  reencryptKinds,
  SECTOR,
  scramble,
} from '../../../testing/reencrypt-kinds.ts';
import type { Luks2Header } from '../header.ts';
import { readHeader } from '../read-header.ts';
import { Luks2OnDisk } from '../volume.ts';
import * as reencrypt from './reencrypt.ts';
import { type RunContext, recoverReencrypt, runReencrypt } from './run.ts';
import { reencryptStatus } from './status.ts';

const seed = Number(process.env['REENCRYPT_SEED'] ?? 1);
const crashesPerKind = Number(process.env['REENCRYPT_CRASHES'] ?? 40);

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

interface Begun {
  images: Uint8Array[];
  plain: Uint8Array;
}

/** Disk 0 has the data, disk 1 a detached header. */
async function begun(kind: ReencryptKind): Promise<Begun> {
  const plain = plainText(kind.dataBytes);
  const image = new Uint8Array(kind.front + kind.dataBytes + kind.spareBytes);
  image.set(encrypted(plain, kind.keys.old), kind.front);
  const data = new MemoryByteDisk(image);
  const isPlaced = !kind.detached && kind.keys.old === 0;
  const isInFront = kind.front > 0 && !kind.detached;
  const header = isInFront ? data : new MemoryByteDisk(FRONT);
  const formatted = await formatForReencrypt(header, isPlaced ? AHEAD : kind.front);
  const placed = await kind.begin({ header, data }, formatted);
  if (isPlaced) await reencrypt.placeHeader(header, data, placed);
  return { images: kind.detached ? [data.bytes, header.bytes] : [data.bytes], plain };
}

async function contextOf(kind: ReencryptKind, disks: readonly ByteDisk[]): Promise<RunContext> {
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

const options = (kind: ReencryptKind) =>
  kind.tuning?.hotzoneBytes === undefined ? {} : { hotzoneBytes: kind.tuning.hotzoneBytes };

/** What somebody who opens it then sees. */
async function mapped(
  kind: ReencryptKind,
  context: RunContext,
  header: Luks2Header,
): Promise<Uint8Array> {
  const { data } = context.disks;
  const view = new Uint8Array(kind.finalBytes);
  const rows = new Luks2OnDisk(context.disks.header, header).segments(data.sizeBytes);
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

async function expectDone(
  kind: ReencryptKind,
  disks: readonly ByteDisk[],
  plain: Uint8Array,
  at: string,
) {
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

describe.each(reencryptKinds())('$name', (kind) => {
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
    const first = new RecordingDisks(images);
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
  const kind = reencryptKinds().find(({ name }) => name === 'encryption with the header in front')!;
  const plain = plainText(kind.dataBytes);
  const image = new Uint8Array(kind.dataBytes + kind.spareBytes);
  image.set(plain);
  const file = new MemoryByteDisk(FRONT);
  const formatted = await formatForReencrypt(file, AHEAD);
  const recorder = new RecordingDisks([image, file.bytes]);
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
  kind: ReencryptKind,
  recorder: RecordingDisks,
  crash: Crash,
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
  kind: ReencryptKind,
  images: readonly Uint8Array[],
  plain: Uint8Array,
  prng: Prng,
  at: string,
): Promise<void> {
  const second = new RecordingDisks(images);
  await runReencrypt(await contextOf(kind, second.disks), options(kind));
  const crash = pickCrash(second, prng, prng.integer(1, second.steps.length));
  await survive(kind, second, crash, plain, prng, `${at}; then ${crash.name}`);
}
