/**
 * A device that snapshots were taken of: who they are, and what a write to it has to wait for.
 *
 * Invariants
 * - A write goes on when no snapshot needs a copy of any of its chunks any more. One that is long gets them stretch by stretch, each looked at once before and
 *   once after its copies: what has its copies keeps them as long as the write is under way.
 * - While somebody keeps it quiet, no write is under way and none begins.
 */

import { assert } from '../../base/assert.ts';
import type { Bio } from '../../core/bio.ts';
import type { TargetMemory } from '../../core/target-memory.ts';
import { Copier } from './copier.ts';
import type { Member } from './handover.ts';
import type { Snapshot } from './snapshot.ts';

/** As the kernel's, which has no snapshot to look at: the largest power of two of an `unsigned int`. */
const UNSPLIT_SECTORS = 2 ** 31;
/** As long a stretch gets its copies at once, in the smallest chunks: a write that zeroes the whole device needs them all. */
const STRETCH_CHUNKS = 256;

export class Origin {
  readonly copier: Copier;
  /** Rows of tables that use it, live or not. */
  userCount = 0;
  /** Of all loaded tables. */
  readonly members = new Set<Member>();
  /** Those that are being closed, and when each is: until then its store is written. */
  readonly leaving = new Map<Member, Promise<void>>();
  /** Those that are kept, largest chunks first. */
  #snapshots: readonly Snapshot[] = [];
  #splitSectors = UNSPLIT_SECTORS;
  /** Of writes that are longer than a stretch: up to where they have their copies. */
  readonly #reached = new Map<Bio, number>();
  #writeCount = 0;
  /** Writes that came while it is kept quiet. */
  #held: Bio[] = [];
  #keeperCount = 0;
  readonly #whenQuiet: (() => void)[] = [];
  readonly #whenFree: (() => void)[] = [];

  constructor(memory: TargetMemory) {
    this.copier = new Copier(memory);
  }

  /** Writes are cut so that each lies in one chunk of every snapshot. */
  get splitSectors(): number {
    return this.#splitSectors;
  }

  addSnapshot(snapshot: Snapshot): void {
    assert(!this.#snapshots.includes(snapshot), 'a snapshot is added once');
    const snapshots = [...this.#snapshots, snapshot];
    this.#setSnapshots(snapshots.sort((a, b) => b.chunkSectors - a.chunkSectors));
  }

  /** What was begun for it goes on; see `Snapshot.idle`. */
  removeSnapshot(snapshot: Snapshot): void {
    this.#setSnapshots(this.#snapshots.filter((each) => each !== snapshot));
  }

  #setSnapshots(snapshots: readonly Snapshot[]): void {
    this.#snapshots = snapshots;
    this.#splitSectors = snapshots.at(-1)?.chunkSectors ?? UNSPLIT_SECTORS;
  }

  /** Takes a write whose device is the origin. true: it may go there now; else it is submitted later. `endWrite` follows in any case. */
  beginWrite(bio: Bio): boolean {
    if (this.#keeperCount > 0) {
      this.#held.push(bio);
      return false;
    }
    this.#writeCount += 1;
    return this.#admit(bio);
  }

  /** As `beginWrite`, for a merge: resolves when it may write. */
  async beginMerging(): Promise<void> {
    while (this.#keeperCount > 0)
      await new Promise<void>((resolve) => this.#whenFree.push(resolve));
    this.#writeCount += 1;
  }

  /** A write that began has ended. */
  endWrite(): void {
    this.#writeCount -= 1;
    assert(this.#writeCount >= 0, 'no write ends that did not begin');
    if (this.#writeCount > 0 || this.#whenQuiet.length === 0) return;
    for (const action of this.#whenQuiet.splice(0)) action();
  }

  /** After what it waited for. */
  readonly retry = (bio: Bio): void => {
    if (this.#admit(bio)) bio.device!.submit(bio);
  };

  #admit(bio: Bio): boolean {
    const end = bio.sector + bio.sectorCount;
    const stretch = STRETCH_CHUNKS * this.#splitSectors;
    let sector = this.#reached.get(bio) ?? bio.sector;
    for (; sector < end; sector += stretch) {
      const sectorCount = Math.min(stretch, end - sector);
      if (!this.#protect(sector, sectorCount, this.#snapshots, bio)) continue;
      if (bio.sectorCount > stretch) this.#reached.set(bio, sector);
      return false;
    }
    this.#reached.delete(bio);
    return true;
  }

  /** Begins the copies that are missing, and has `bio` wait for the last of them: those before it are mostly there by then. */
  #protect(
    sector: number,
    sectorCount: number,
    snapshots: readonly Snapshot[],
    bio: Bio | null,
  ): boolean {
    for (;;) {
      let last: Snapshot | null = null;
      let lastChunk = 0;
      // Snapshots that need the same chunk share one read of it.
      this.copier.gather();
      for (const snapshot of snapshots) {
        const end = snapshot.chunkOf(sector + sectorCount - 1);
        for (let chunk = snapshot.chunkOf(sector); chunk <= end; chunk += 1) {
          if (!snapshot.protect(chunk, null)) continue;
          last = snapshot;
          lastChunk = chunk;
        }
      }
      this.copier.startGathered();
      if (last === null) return false;
      // Devices that answer at once have made it meanwhile.
      if (bio === null || last.protect(lastChunk, bio)) return true;
    }
  }

  /** Resolves when all snapshots but `but` have what is in the range: it is about to be overwritten. */
  async protectRange(sector: number, sectorCount: number, but: Snapshot): Promise<void> {
    const others = this.#snapshots.filter((snapshot) => snapshot !== but);
    // All at once; then each by itself, since one that has nothing under way has no progress to wait for.
    this.#protect(sector, sectorCount, others, null);
    for (const snapshot of others) {
      while (this.#protect(sector, sectorCount, [snapshot], null)) await snapshot.progress();
    }
  }

  /** Resolves when no write is under way; the function that it answers lets those go on that came meanwhile. */
  async quiet(): Promise<() => void> {
    this.#keeperCount += 1;
    if (this.#writeCount > 0) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
    return () => {
      this.#keeperCount -= 1;
      if (this.#keeperCount > 0) return;
      for (const action of this.#whenFree.splice(0)) action();
      for (const bio of this.#held.splice(0)) if (this.beginWrite(bio)) bio.device!.submit(bio);
    };
  }
}
