/** The machine of one origin and its snapshots, over a store in memory and disks that answer when told. */

import { expect, test, vi } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { plainMemory } from '../../core/target-memory.ts';
import { submitBio } from '../../testing/submit.ts';
import { TestDisk } from '../../testing/test-disk.ts';
import { Origin } from './origin.ts';
import { Snapshot, type SnapshotOwner } from './snapshot.ts';
import type { ExceptionStore, PendingException } from './store.ts';

const CHUNK_SECTORS = 8;
const SIZE_SECTORS = 256;

/** Keeps at once what was copied, in order, unless told to wait. */
class MemoryStore implements ExceptionStore {
  readonly isPersistent = false;
  readonly chunkSectors: number;
  readonly merging = null;
  limit = Number.POSITIVE_INFINITY;
  dropCount = 0;
  finishDrop: () => void = () => undefined;
  waits = false;
  #count = 0;
  readonly #order: PendingException[] = [];
  readonly #copied = new Map<PendingException, boolean>();

  constructor(chunkSectors = CHUNK_SECTORS) {
    this.chunkSectors = chunkSectors;
  }

  async open() {
    return 'valid' as const;
  }

  prepareException(exception: PendingException): boolean {
    if (this.#count >= this.limit) return false;
    exception.newChunk = this.#count;
    this.#count += 1;
    this.#order.push(exception);
    return true;
  }

  commitException(exception: PendingException, isCopied: boolean): void {
    this.#copied.set(exception, isCopied);
    if (!this.waits) this.commit();
  }

  commit(): void {
    for (let first = this.#order[0]; first && this.#copied.has(first); first = this.#order[0]) {
      this.#order.shift();
      first.committed(this.#copied.get(first) ? 0 : Errno.EIO);
    }
  }

  dropSnapshot(): Promise<boolean> {
    this.dropCount += 1;
    return new Promise((resolve) => {
      this.finishDrop = () => resolve(true);
    });
  }

  usage() {
    return { allocatedSectors: this.#count, totalSectors: 100, metadataSectors: 0 };
  }

  handOver(): void {}
}

class Rig {
  readonly sizeSectors: number;
  readonly origin: TestDisk;
  readonly place = new Origin(plainMemory);
  eventCount = 0;
  renewals: (() => void)[] = [];
  renewsLater = false;

  constructor(sizeSectors = SIZE_SECTORS) {
    this.sizeSectors = sizeSectors;
    this.origin = new TestDisk('O', { major: 7, minor: 0 }, { sizeSectors });
    for (let chunk = 0; chunk < sizeSectors / CHUNK_SECTORS; chunk += 1) {
      this.origin.bytes.fill(100 + chunk, chunk * 4096, (chunk + 1) * 4096);
    }
  }

  async snapshot(minor = 1, store = new MemoryStore(), survivesOverflow = false) {
    const { sizeSectors } = this;
    const cow = new TestDisk(`C${minor}`, { major: 7, minor }, { sizeSectors });
    const owner: SnapshotOwner = {
      origin: this.origin,
      cow,
      sizeSectors,
      survivesOverflow,
      event: () => {
        this.eventCount += 1;
      },
      report: () => undefined,
      renewCopies: () =>
        this.renewsLater
          ? new Promise((resolve) => this.renewals.push(resolve))
          : Promise.resolve(),
    };
    const { copier } = this.place;
    const retryOriginBio = this.place.retry;
    const options = { owner, store, copier, retryOriginBio, seed: 1 };
    const snapshot = new Snapshot(options);
    await snapshot.open();
    this.place.addSnapshot(snapshot);
    return { snapshot, store, cow };
  }

  /** As a snapshot-origin does. */
  get device(): BlockDevice {
    const { origin, place, sizeSectors } = this;
    return {
      number: { major: 9, minor: 9 },
      operand: 'dev',
      sizeSectors,
      limits: origin.limits,
      readOnly: false,
      submit(bio) {
        const ended = bio.onEnd;
        bio.device = origin;
        bio.onEnd = (done) => {
          place.endWrite();
          ended(done);
        };
        if (place.beginWrite(bio)) origin.submit(bio);
      },
    };
  }

  write(chunk: number, sectorCount = CHUNK_SECTORS): Promise<number> {
    const data = new Uint8Array(sectorCount * 512).fill(7);
    return submitBio(this.device, {
      op: Op.write,
      sector: chunk * CHUNK_SECTORS,
      sectorCount,
      data,
    });
  }
}

const settle = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** What a write came to by now. */
function watch(promise: Promise<number>): { errno: number | 'pending' } {
  const state: { errno: number | 'pending' } = { errno: 'pending' };
  void promise.then((errno) => {
    state.errno = errno;
  });
  return state;
}

test('the origin is written when every snapshot has its copy, each made once', async () => {
  const rig = new Rig();
  const first = await rig.snapshot(1);
  const second = await rig.snapshot(2, new MemoryStore(32));
  second.store.waits = true;
  const written = watch(rig.write(5));
  await settle();
  expect(written.errno).toBe('pending');
  expect(rig.origin.bytes[5 * 4096]).toBe(105);
  second.store.commit();
  await settle();
  expect(written.errno).toBe(0);
  expect(rig.origin.bytes[5 * 4096]).toBe(7);
  expect(first.cow.bytes[0]).toBe(105);
  expect([0, 4096, 8192, 12288].map((at) => second.cow.bytes[at])).toEqual([104, 105, 106, 107]);
  expect(await rig.write(5)).toBe(0);
  expect(first.cow.recorded).toHaveLength(1);
  expect(second.cow.recorded).toHaveLength(1);
});

test('a read of the origin through a snapshot is not overtaken', async () => {
  const rig = new Rig();
  const { snapshot } = await rig.snapshot();
  snapshot.readers.begin(3);
  const [blocked, free] = [watch(rig.write(3)), watch(rig.write(4))];
  await settle();
  expect([blocked.errno, free.errno]).toEqual(['pending', 0]);
  const again = watch(rig.write(3, 1));
  await settle();
  expect([snapshot.table.find(3), again.errno]).toEqual([0, 'pending']);
  snapshot.readers.end(3);
  await settle();
  expect([blocked.errno, again.errno]).toEqual([0, 0]);
});

test('nothing is let through while other threads may still read by themselves', async () => {
  const rig = new Rig();
  rig.renewsLater = true;
  const { snapshot } = await rig.snapshot();
  expect(snapshot.isUntouched).toBe(true);
  const written = watch(rig.write(3));
  await settle();
  expect([snapshot.isUntouched, written.errno]).toEqual([false, 'pending']);
  rig.renewals[0]!();
  await settle();
  expect(written.errno).toBe(0);
});

test('a full store invalidates the snapshot, on the disk first', async () => {
  const rig = new Rig();
  const { snapshot, store } = await rig.snapshot();
  store.limit = 1;
  expect(await rig.write(0)).toBe(0);
  const written = watch(rig.write(1));
  await settle();
  expect([snapshot.status(), written.errno, rig.eventCount]).toEqual(['Invalid', 'pending', 0]);
  store.finishDrop();
  await settle();
  expect([written.errno, rig.eventCount, store.dropCount]).toEqual([0, 1, 1]);
  expect(await rig.write(2)).toBe(0);
});

test('a copy that fails invalidates the snapshot and not the origin', async () => {
  const rig = new Rig();
  const { snapshot, store, cow } = await rig.snapshot();
  cow.failure = () => Errno.EIO;
  const written = watch(rig.write(1));
  await settle();
  store.finishDrop();
  await settle();
  expect([written.errno, snapshot.isValid]).toEqual([0, false]);
  await snapshot.idle();
});

test('with PO a full store refuses writes to the snapshot alone, until the origin needs it', async () => {
  const rig = new Rig();
  const { snapshot, store } = await rig.snapshot(1, new MemoryStore(), true);
  store.limit = 0;
  const device: BlockDevice = {
    ...rig.device,
    submit: (bio) => {
      if (!snapshot.write(bio, 0)) bio.end(Errno.EIO);
    },
  };
  const data = new Uint8Array(4096);
  expect(await submitBio(device, { op: Op.write, sectorCount: 8, data })).toBe(Errno.EIO);
  expect([snapshot.status(), snapshot.isValid]).toEqual(['Overflow', true]);
  const written = watch(rig.write(0));
  await settle();
  store.finishDrop();
  await settle();
  expect([snapshot.status(), written.errno]).toEqual(['Invalid', 0]);
});

test('a write of zeroes over many chunks looks at each twice', async () => {
  const rig = new Rig(2048);
  const fine = await rig.snapshot(1, new MemoryStore(1));
  const coarse = await rig.snapshot(2, new MemoryStore(32));
  for (const { cow } of [fine, coarse]) cow.answer = (done) => void setImmediate(done);
  const looks = vi.spyOn(fine.snapshot, 'protect');
  const before = rig.origin.bytes.slice();
  const zeroes = { op: Op.writeZeroes, sectorCount: 2048 };
  expect(await submitBio(rig.device, zeroes)).toBe(0);
  expect([fine, coarse].map(({ cow }) => Buffer.compare(cow.bytes, before))).toEqual([0, 0]);
  // And those at the end of each stretch once more.
  expect(looks.mock.calls.length).toBeLessThan(2.5 * 2048);
});

test('who keeps the origin quiet meets no write, and lets go those that came', async () => {
  const rig = new Rig();
  const finish: (() => void)[] = [];
  rig.origin.answer = (done) => void finish.push(done);
  const [before, quiet] = [watch(rig.write(0)), rig.place.quiet()];
  let isQuiet = false;
  void quiet.then(() => {
    isQuiet = true;
  });
  const after = watch(rig.write(1));
  await settle();
  expect([isQuiet, finish.length]).toEqual([false, 1]);
  finish[0]!();
  const release = await quiet;
  expect([before.errno, after.errno, finish.length]).toEqual([0, 'pending', 1]);
  release();
  finish[1]!();
  await settle();
  expect(after.errno).toBe(0);
});
