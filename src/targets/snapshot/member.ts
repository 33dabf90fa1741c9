/**
 * What a row of snapshot and one of snapshot-merge have in common: from the table's load on they are known at their origin, and from the resume on they have a snapshot,
 * read from the COW device or taken over from the row that had it before.
 */

import { type BlockDevice, formatDeviceNumber } from '../../core/device.ts';
import type { TargetContext } from '../../core/target.ts';
import { type Member, mustTakeOver, noMerging, pairingOf, sourceAtResume } from './handover.ts';
import type { SnapshotLine } from './line.ts';
import type { Origin } from './origin.ts';
import { Origins } from './origins.ts';
import { PersistentStore } from './persistent-store.ts';
import { Snapshot, type SnapshotOwner } from './snapshot.ts';
import type { ExceptionStore } from './store.ts';
import { TransientStore } from './transient-store.ts';

export class SnapshotMember implements Member, SnapshotOwner {
  readonly origin: BlockDevice;
  readonly cow: BlockDevice;
  readonly sizeSectors: number;
  readonly survivesOverflow: boolean;
  readonly isMerge: boolean;
  readonly place: Origin;
  snapshot: Snapshot | null = null;
  hasGivenAway = false;
  isActive = false;
  isSuspended = true;
  readonly #line: SnapshotLine;
  readonly #context: TargetContext;
  readonly #origins: Origins;

  constructor(line: SnapshotLine, context: TargetContext, isMerge: boolean) {
    this.#line = line;
    this.#context = context;
    this.origin = line.origin;
    this.cow = line.cow;
    this.sizeSectors = context.start + context.length;
    this.survivesOverflow = line.survivesOverflow;
    this.isMerge = isMerge;
    this.#origins = context.environment.shared(Origins);
    this.place = this.#origins.use(this.origin, context.memory);
  }

  event(): void {
    this.#context.event();
  }

  report(message: string): void {
    this.#context.report(message);
  }

  renewCopies(): Promise<void> {
    return this.#context.renewCopies();
  }

  /** Of the snapshot, 0 before there is one. */
  get chunkSectors(): number {
    return this.snapshot?.chunkSectors ?? 0;
  }

  async load(): Promise<void> {
    await this.#left();
    const waits = mustTakeOver(this.place.members, this.cow, this.isMerge);
    this.place.members.add(this);
    if (waits) return;
    const store = this.#createStore();
    if (this.isMerge && store.merging === null) throw noMerging();
    const snapshot = new Snapshot({
      owner: this,
      store,
      copier: this.place.copier,
      retryOriginBio: this.place.retry,
      seed: this.#context.environment.prng.uint32(),
    });
    await snapshot.open();
    this.snapshot = snapshot;
    this.#compareChunks(snapshot.chunkSectors);
  }

  #compareChunks(chunkSectors: number): void {
    const asked = this.#line.chunkSectors;
    if (asked === 0 || asked === chunkSectors) return;
    const kept = `chunk size ${chunkSectors} in device metadata overrides table chunk size of ${asked}`;
    this.report(`snapshot: ${kept}, on ${this.cow.operand}`);
  }

  /** Resolves when nobody writes to the COW device any more who was there before and hands nothing over. */
  async #left(): Promise<void> {
    const isSame = ([{ cow }]: [Member, unknown]) =>
      formatDeviceNumber(cow.number) === formatDeviceNumber(this.cow.number);
    const { leaving } = this.place;
    for (let last = [...leaving].find(isSame); last; last = [...leaving].find(isSame))
      await last[1];
  }

  #createStore(): ExceptionStore {
    const { chunkSectors, isPersistent } = this.#line;
    const originBlockBytes = this.origin.limits.logicalBlockBytes;
    const { cow } = this;
    const options = { cow, chunkSectors, originBlockBytes, memory: this.#context.memory };
    return isPersistent ? new PersistentStore(options) : new TransientStore(options);
  }

  /** Before the device resumes: from now on the origin's writes make copies. */
  async activate(): Promise<void> {
    const source = sourceAtResume(this.place.members, this);
    if (source !== null) this.takeOver(source);
    if (this.isActive || this.snapshot === null) return;
    const release = await this.place.quiet();
    this.place.addSnapshot(this.snapshot);
    this.isActive = true;
    release();
  }

  takeOver(source: Member): void {
    this.snapshot = source.giveAway();
    this.isActive = true;
    this.snapshot?.handOver(this);
  }

  /** From now on it answers as an invalid one. */
  giveAway(): Snapshot | null {
    const { snapshot } = this;
    this.snapshot = null;
    this.isActive = false;
    this.hasGivenAway = true;
    return snapshot;
  }

  async close(): Promise<void> {
    const { members } = this.place;
    const { destination } = pairingOf(members, this.cow);
    members.delete(this);
    if (this.isActive && destination !== null) destination.takeOver(this);
    if (this.snapshot !== null) await this.#leave(this.snapshot);
    this.#origins.giveBack(this.origin, this.place);
  }

  async #leave(snapshot: Snapshot): Promise<void> {
    const { leaving } = this.place;
    this.place.removeSnapshot(snapshot);
    leaving.set(
      this,
      snapshot.idle().finally(() => leaving.delete(this)),
    );
    await leaving.get(this);
  }

  /** One that waits shows a store that it has not looked into. */
  status(): string {
    if (this.snapshot !== null) return this.snapshot.status();
    return this.hasGivenAway ? 'Invalid' : `0/${this.cow.sizeSectors} 0`;
  }

  measure(): string {
    const {
      isValid = !this.hasGivenAway,
      mergeFailed = false,
      hasOverflowed = false,
    } = this.snapshot ?? {};
    const [valid, failed, overflowed] = [isValid, mergeFailed, hasOverflowed].map((is) =>
      is ? 'y' : 'n',
    );
    return [
      `snap_origin_name=${formatDeviceNumber(this.origin.number)}`,
      `snap_cow_name=${formatDeviceNumber(this.cow.number)}`,
      `snap_valid=${valid}`,
      `snap_merge_failed=${failed}`,
      `snapshot_overflowed=${overflowed}`,
    ].join(',');
  }
}
