/**
 * One snapshot, whoever shows it: its exceptions, the copies that are under way, and who has to wait for them. A table that is replaced hands it over to the next.
 *
 * Invariants
 * - A write goes on only when the exception of its chunk is kept by the store (`PendingException.committed`): to the COW device, or to the origin.
 * - As long as a copy is in `#pending`, no write to the origin and no merge changes its chunk. It leaves when the exception is in the table and those who read the chunk
 *   of the origin before are done.
 * - `isValid` never becomes true again. What the origin's writes have to wait for when it becomes false is that the store says so on the disk.
 */

import { assert } from '../../base/assert.ts';
import { Errno } from '../../base/errors.ts';
import { type Bio, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { ChunkUsers } from './chunk-users.ts';
import type { Copier } from './copier.ts';
import { ExceptionTable } from './exception-table.ts';
import { PendingCopy } from './pending-copy.ts';
import { Shortcut } from './shortcut.ts';
import type { ExceptionStore } from './store.ts';

/** The target that shows the snapshot now. */
export interface SnapshotOwner {
  readonly origin: BlockDevice;
  readonly cow: BlockDevice;
  /** Of the snapshot: what lies behind is not kept. */
  readonly sizeSectors: number;
  /** A full store fails writes to the snapshot, but what it has stays readable. */
  readonly survivesOverflow: boolean;
  event(): void;
  /** A sentence for whoever runs the mapper. */
  report(message: string): void;
  renewCopies(): Promise<void>;
}

export interface SnapshotOptions {
  readonly owner: SnapshotOwner;
  readonly store: ExceptionStore;
  readonly copier: Copier;
  /** A write to the origin need not wait any more. */
  retryOriginBio(bio: Bio): void;
  /** Of the table's hashes. */
  readonly seed: number;
}

export class Snapshot {
  readonly table: ExceptionTable;
  /** Reads of the origin. */
  readonly readers = new ChunkUsers();
  readonly store: ExceptionStore;
  /** Writes to the origin leave it alone: what it has goes there anyway. */
  isMerging = false;
  mergeFailed = false;
  /** With PO: a write to it found no room. */
  hasOverflowed = false;
  #owner: SnapshotOwner;
  readonly #copier: Copier;
  readonly #retryOriginBio: (bio: Bio) => void;
  readonly #pending = new Map<number, PendingCopy>();
  #isValid = true;
  /** The store is being told that it is invalid. */
  #isDropping = false;
  /** Writes to the origin that wait for that. */
  #droppedFirst: Bio[] = [];
  /** Writes to the snapshot that fail then. */
  readonly #failing: Bio[] = [];
  #shortcut = new Shortcut(false);
  #whenProgressed: (() => void)[] = [];

  constructor(options: SnapshotOptions) {
    this.store = options.store;
    this.table = new ExceptionTable(options.seed);
    this.#owner = options.owner;
    this.#copier = options.copier;
    this.#retryOriginBio = options.retryOriginBio;
  }

  async open(): Promise<void> {
    this.#isValid = (await this.store.open(this.table)) === 'valid';
    if (!this.#isValid) this.#report(`Snapshot is marked invalid on ${this.#owner.cow.operand}`);
    this.#shortcut = new Shortcut(this.#isValid && this.table.count === 0);
  }

  get isValid(): boolean {
    return this.#isValid;
  }

  get chunkSectors(): number {
    return this.store.chunkSectors;
  }

  /** Reads may go to the origin without asking. */
  get isUntouched(): boolean {
    return this.#shortcut.isOpen;
  }

  chunkOf(sector: number): number {
    return Math.floor(sector / this.chunkSectors);
  }

  /** Another table shows it now. Its devices are the same, opened anew. */
  handOver(owner: SnapshotOwner): void {
    this.#owner = owner;
    // Of the table before: another begins anew.
    this.isMerging = false;
    this.mergeFailed = false;
    this.store.handOver(owner.cow);
  }

  /** Where the bio's chunk lies on the COW device; false: it has no exception. */
  remap(bio: Bio, chunk: number): boolean {
    const newChunk = this.table.find(chunk);
    if (newChunk < 0) return false;
    bio.device = this.#owner.cow;
    bio.sector += (newChunk - chunk) * this.chunkSectors;
    return true;
  }

  /** In chunks that have an exception too. */
  get refusesWrites(): boolean {
    return !this.#isValid || this.hasOverflowed;
  }

  /** Takes a write to a chunk without exception. false: it fails. */
  write(bio: Bio, chunk: number): boolean {
    if (this.refusesWrites) return false;
    const underway = this.#pending.get(chunk);
    if (underway !== undefined) {
      underway.snapshotBios.push(bio);
      return true;
    }
    const pending = this.#prepare(chunk);
    if (pending === null) {
      if (this.#owner.survivesOverflow) {
        this.#overflow();
        return false;
      }
      this.invalidate(this.#isFull);
      this.#fail(bio);
      return true;
    }
    const isWhole = bio.op !== Op.discard && bio.sectorCount === this.chunkSectors;
    if (isWhole) {
      this.#writeWhole(pending, bio);
    } else {
      pending.snapshotBios.push(bio);
      this.#startCopy(pending);
    }
    return true;
  }

  /**
   * What a write to the origin must wait for, started if it was not: true then, and `bio`, if there is one, is looked at anew when that is over.
   */
  protect(chunk: number, bio: Bio | null): boolean {
    const underway = this.#pending.get(chunk);
    if (underway !== undefined) {
      if (bio !== null) underway.originBios.push(bio);
      return true;
    }
    if (!this.#isValid) return this.#waitForDrop(bio);
    if (this.isMerging || chunk * this.chunkSectors >= this.#owner.sizeSectors) return false;
    if (this.table.find(chunk) >= 0) return false;
    const pending = this.#prepare(chunk);
    if (pending === null) {
      this.invalidate(this.#isFull);
      return this.#waitForDrop(bio);
    }
    if (bio !== null) pending.originBios.push(bio);
    this.#startCopy(pending);
    return true;
  }

  #waitForDrop(bio: Bio | null): boolean {
    if (!this.#isDropping) return false;
    if (bio !== null) this.#droppedFirst.push(bio);
    return true;
  }

  /** null: the store is full. */
  #prepare(chunk: number): PendingCopy | null {
    const pending = new PendingCopy(chunk, this.#onCommitted);
    if (!this.store.prepareException(pending)) return null;
    this.#pending.set(chunk, pending);
    this.#shortcut.close(() => this.#owner.renewCopies());
    return pending;
  }

  #startCopy(pending: PendingCopy): void {
    const { origin, cow } = this.#owner;
    const { chunkSectors } = this;
    const sourceSector = pending.oldChunk * chunkSectors;
    const sectorCount = Math.min(chunkSectors, origin.sizeSectors - sourceSector);
    if (sectorCount <= 0) {
      // It shrank since the table was loaded.
      this.store.commitException(pending, false);
      return;
    }
    this.#copier.copy(
      {
        source: origin,
        sourceSector,
        target: cow,
        targetSector: pending.newChunk * chunkSectors,
        sectorCount,
        inBackground: false,
      },
      (outcome) => this.store.commitException(pending, outcome === 'done'),
    );
  }

  #writeWhole(pending: PendingCopy, bio: Bio): void {
    pending.wholeBio = bio;
    pending.wholeBioOnEnd = bio.onEnd;
    bio.onEnd = () => this.store.commitException(pending, bio.error === 0);
    bio.device = this.#owner.cow;
    bio.sector = pending.newChunk * this.chunkSectors;
    bio.device.submit(bio);
  }

  readonly #onCommitted = (pending: PendingCopy, errno: number): void => {
    if (this.#shortcut.isClosed) this.#complete(pending, errno);
    else this.#shortcut.whenClosed(() => this.#complete(pending, errno));
  };

  #complete(pending: PendingCopy, errno: number): void {
    if (errno !== 0) this.invalidate('Error reading/writing: a chunk could not be copied or kept');
    const isKept = this.#isValid;
    if (isKept) this.table.insert(pending.oldChunk, pending.newChunk);
    this.#releaseSnapshotBios(pending, isKept);
    this.#settle(pending);
  }

  #releaseSnapshotBios(pending: PendingCopy, isKept: boolean): void {
    const { wholeBio, snapshotBios } = pending;
    if (wholeBio !== null) {
      pending.wholeBio = null;
      wholeBio.onEnd = pending.wholeBioOnEnd!;
      // It ends now, not when its data were written.
      wholeBio.endMs = 0;
      if (isKept) wholeBio.end(0);
      else this.#fail(wholeBio);
    }
    pending.snapshotBios = [];
    for (const bio of snapshotBios) {
      if (isKept && this.remap(bio, pending.oldChunk)) bio.device!.submit(bio);
      else this.#fail(bio);
    }
  }

  /** Forgets the copy and lets the origin be written, once nobody reads there. */
  #settle(pending: PendingCopy): void {
    if (this.readers.has(pending.oldChunk)) {
      this.readers.whenNone(pending.oldChunk, () => this.#settle(pending));
      return;
    }
    assert(this.#pending.delete(pending.oldChunk), `chunk ${pending.oldChunk} is under way`);
    for (const bio of pending.originBios) this.#retryOriginBio(bio);
    this.#hasProgressed();
  }

  get #isFull(): string {
    return `Unable to allocate exception: ${this.#owner.cow.operand} is full`;
  }

  #overflow(): void {
    this.hasOverflowed = true;
    this.#report(`Snapshot overflowed: ${this.#isFull}`);
  }

  /** Nothing it had is shown any more, and the store says so before the origin is written. */
  invalidate(reason: string): void {
    if (!this.#isValid) return;
    this.#isValid = false;
    this.#isDropping = true;
    this.#report(`Invalidating snapshot: ${reason}`);
    this.#shortcut.close(() => this.#owner.renewCopies());
    void this.store.dropSnapshot().then((isTold) => {
      if (!isTold) this.#report(`write header failed: ${this.#owner.cow.operand} says it is valid`);
      this.#shortcut.whenClosed(() => this.#dropped());
    });
  }

  #dropped(): void {
    this.#isDropping = false;
    this.#owner.event();
    const bios = this.#droppedFirst;
    this.#droppedFirst = [];
    for (const bio of bios) this.#retryOriginBio(bio);
    for (const bio of this.#failing.splice(0)) bio.end(Errno.EIO);
    this.#hasProgressed();
  }

  /** Whoever sees that a write failed can rely on the event and on what the store says. */
  #fail(bio: Bio): void {
    if (this.#isDropping) this.#failing.push(bio);
    else bio.end(Errno.EIO);
  }

  get #isIdle(): boolean {
    return this.#pending.size === 0 && !this.#isDropping;
  }

  #hasProgressed(): void {
    if (this.#whenProgressed.length === 0) return;
    for (const action of this.#whenProgressed.splice(0)) action();
  }

  /** Resolves when one more of the things that writes to the origin wait for is over, at once if there is none. */
  async progress(): Promise<void> {
    if (this.#isIdle) return;
    await new Promise<void>((resolve) => this.#whenProgressed.push(resolve));
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (!this.#isIdle) await this.progress();
  }

  #report(message: string): void {
    this.#owner.report(`snapshot: ${message}`);
  }

  /** What `dmsetup status` prints. */
  status(): string {
    if (!this.#isValid) return 'Invalid';
    if (this.mergeFailed) return 'Merge failed';
    if (this.hasOverflowed) return 'Overflow';
    const { allocatedSectors, totalSectors, metadataSectors } = this.store.usage();
    return `${allocatedSectors}/${totalSectors} ${metadataSectors}`;
  }
}
