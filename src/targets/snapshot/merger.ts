/**
 * Brings a snapshot back to its origin, in the background: from the last exception backwards, one run of consecutive chunks after the other.
 *
 * For each run: the other snapshots get their copies; writes to it wait, and those under way end; it is copied to the origin, which is flushed; only then its exceptions go,
 * from the store and from the table; what waited goes to the origin. A crash in between leaves exceptions that are merged again, to the same effect.
 */

import type { Clock } from '../../base/clock.ts';
import { sleep } from '../../base/clock.ts';
import { Errno } from '../../base/errors.ts';
import { sectorsToBytes } from '../../base/units.ts';
import { Bio, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { TargetContext } from '../../core/target.ts';
import { ChunkUsers } from './chunk-users.ts';
import type { Origin } from './origin.ts';
import type { Snapshot } from './snapshot.ts';
import type { MergeRun, StoreMerging } from './store.ts';

/** How much may be merged at once: as long as that takes, writes to it wait. */
const RUN_BYTES = 4 * 1024 * 1024;
/** After a run during which somebody else used the device, it rests as long as the run took, and no longer than this. */
const MAX_REST_MS = 100;

export interface MergeDevices {
  readonly origin: BlockDevice;
  readonly cow: BlockDevice;
}

type Surroundings = Pick<TargetContext, 'environment' | 'report'>;

const COPY_ERRORS = { 'read failed': 'Read error', 'write failed': 'Write error' } as const;

export class Merger {
  readonly #snapshot: Snapshot;
  readonly #place: Origin;
  readonly #devices: MergeDevices;
  readonly #clock: Clock;
  readonly #report: (message: string) => void;
  /** Writes under way to the COW device, by its chunks. */
  readonly #writers = new ChunkUsers();
  /** What is being merged; writes to it wait in `#held`. */
  #run: MergeRun | null = null;
  #held: Bio[] = [];
  #mustStop = false;
  #running: Promise<void> | null = null;
  #wasUsed = false;

  constructor(
    snapshot: Snapshot,
    place: Origin,
    devices: MergeDevices,
    { environment, report }: Surroundings,
  ) {
    this.#snapshot = snapshot;
    this.#place = place;
    this.#devices = devices;
    this.#clock = environment.clock;
    this.#report = report;
  }

  /** One that failed is tried again. */
  start(): void {
    const { merging } = this.#snapshot.store;
    this.#mustStop = false;
    if (merging !== null) this.#running ??= this.#mergeAll(merging);
  }

  /** No further run begins. */
  requestStop(): void {
    this.#mustStop = true;
  }

  /** Resolves when the run that was under way is over. */
  async stopped(): Promise<void> {
    await this.#running;
  }

  /** Somebody uses the device. */
  noteUse(): void {
    this.#wasUsed = true;
  }

  /** Takes a write to a chunk that is being merged. false: it is another. */
  hold(bio: Bio, chunk: number): boolean {
    const run = this.#run;
    if (run === null || chunk < run.oldChunk || chunk >= run.oldChunk + run.chunkCount)
      return false;
    this.#held.push(bio);
    return true;
  }

  /** A write to the COW device: at its sector there. */
  beginWrite(cowSector: number): void {
    this.#writers.begin(this.#snapshot.chunkOf(cowSector));
  }

  endWrite(cowSector: number): void {
    this.#writers.end(this.#snapshot.chunkOf(cowSector));
  }

  async #mergeAll(merging: StoreMerging): Promise<void> {
    let isMore = this.#snapshot.isValid;
    while (isMore && !this.#mustStop) {
      const startMs = this.#clock.nowMs();
      this.#wasUsed = false;
      isMore = await this.#mergeNext(merging).catch((error: unknown) => this.#fail(error));
      if (isMore) await this.#rest(this.#clock.nowMs() - startMs);
    }
    // With the last look at `#mustStop`: who starts again from now on starts anew.
    this.#running = null;
  }

  #fail(error: unknown): false {
    this.#snapshot.mergeFailed = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#report(`snapshot-merge: ${reason}: shutting down merge`);
    return false;
  }

  async #rest(tookMs: number): Promise<void> {
    if (this.#wasUsed && tookMs > 0) await sleep(this.#clock, Math.min(tookMs, MAX_REST_MS));
  }

  /** false: nothing is left. */
  async #mergeNext(merging: StoreMerging): Promise<boolean> {
    const all = await merging.prepareMerge();
    if (all === null) return false;
    const run = this.#endOf(all);
    if (run.chunkCount === 0) {
      await merging.commitMerge(1);
      return true;
    }
    await this.#place.beginMerging();
    try {
      await this.#mergeRun(run, merging);
    } finally {
      this.#place.endWrite();
    }
    return true;
  }

  /**
   * The last chunks of a run, as many as may be merged at once. None: the last is not what the snapshot shows. A store that was damaged may name a chunk twice,
   * and the first counts.
   */
  #endOf({ oldChunk, newChunk, chunkCount }: MergeRun): MergeRun {
    const { chunkSectors, table } = this.#snapshot;
    const limit = Math.max(1, Math.floor(RUN_BYTES / sectorsToBytes(chunkSectors)));
    let skipped = chunkCount;
    while (
      skipped > 0 &&
      chunkCount - skipped < limit &&
      table.find(oldChunk + skipped - 1) === newChunk + skipped - 1
    ) {
      skipped -= 1;
    }
    return {
      oldChunk: oldChunk + skipped,
      newChunk: newChunk + skipped,
      chunkCount: chunkCount - skipped,
    };
  }

  async #mergeRun(run: MergeRun, merging: StoreMerging): Promise<void> {
    const { chunkSectors } = this.#snapshot;
    const sector = run.oldChunk * chunkSectors;
    const whole = run.chunkCount * chunkSectors;
    const sectorCount = Math.min(whole, this.#devices.origin.sizeSectors - sector);
    // A store may name any chunk: such a one has no place to go.
    if (sectorCount <= 0) throw new Error('an exception lies behind the end of the origin');
    await this.#place.protectRange(sector, sectorCount, this.#snapshot);
    this.#run = run;
    let isMerged = false;
    try {
      await this.#writers.noneIn(run.newChunk, run.chunkCount);
      await this.#copy(run, sectorCount);
      await this.#flushOrigin();
      await merging.commitMerge(run.chunkCount);
      this.#forget(run);
      isMerged = true;
    } finally {
      this.#run = null;
      this.#release(isMerged);
    }
  }

  #copy(run: MergeRun, sectorCount: number): Promise<void> {
    const { origin, cow } = this.#devices;
    const { chunkSectors } = this.#snapshot;
    const request = {
      source: cow,
      sourceSector: run.newChunk * chunkSectors,
      target: origin,
      targetSector: run.oldChunk * chunkSectors,
      sectorCount,
      inBackground: true,
    };
    return new Promise((resolve, reject) => {
      this.#place.copier.copy(request, (outcome) => {
        if (outcome === 'done') resolve();
        else reject(new Error(COPY_ERRORS[outcome]));
      });
    });
  }

  #flushOrigin(): Promise<void> {
    const bio = new Bio();
    bio.op = Op.flush;
    bio.device = this.#devices.origin;
    return new Promise((resolve, reject) => {
      bio.onEnd = ({ error }) => {
        if (error === 0) resolve();
        else reject(new Error('Flush after merge failed'));
      };
      bio.device!.submit(bio);
    });
  }

  /** From the last to the first, as the store did. */
  #forget({ oldChunk, chunkCount }: MergeRun): void {
    for (let chunk = oldChunk + chunkCount - 1; chunk >= oldChunk; chunk -= 1) {
      this.#snapshot.table.remove(chunk);
    }
  }

  /** What waited goes to the origin, or fails with the merge. */
  #release(isMerged: boolean): void {
    const { origin } = this.#devices;
    for (const bio of this.#held.splice(0)) {
      if (!isMerged) {
        bio.end(Errno.EIO);
        continue;
      }
      bio.device = origin;
      if (this.#place.beginWrite(bio)) origin.submit(bio);
    }
  }
}
