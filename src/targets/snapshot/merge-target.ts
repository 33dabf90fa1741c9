/**
 * One row of a snapshot-merge table: it stands in for the origin while a snapshot is merged into it, and shows what will be there at the end.
 * Source: Documentation/admin-guide/device-mapper/snapshot.rst
 */

import { Errno } from '../../base/errors.ts';
import { type Bio, BioFlag, Op } from '../../core/bio.ts';
import type { DeviceRange } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import type { MapResult, Target, TargetContext } from '../../core/target.ts';
import type { SnapshotLine } from './line.ts';
import { SnapshotMember } from './member.ts';
import { Merger } from './merger.ts';
import { endWith, pieceSectors, printTable, snapshotLimits, snapshotRanges } from './row.ts';

export class MergeTarget implements Target {
  readonly #line: SnapshotLine;
  readonly #context: TargetContext;
  readonly #member: SnapshotMember;
  #merger: Merger | null = null;

  constructor(line: SnapshotLine, context: TargetContext) {
    this.#line = line;
    this.#context = context;
    this.#member = new SnapshotMember(line, context, true);
  }

  get maxIoSectors(): number {
    const { chunkSectors, place } = this.#member;
    const smallest = Math.min(chunkSectors, place.splitSectors);
    return pieceSectors(this.#context.start, smallest);
  }

  map(bio: Bio): MapResult {
    const { snapshot } = this.#member;
    const merger = this.#merger;
    if (snapshot === null || merger === null) return 'kill';
    if (bio.op === Op.discard) return this.#mapDiscard(bio);
    merger.noteUse();
    const chunk = snapshot.chunkOf(bio.sector);
    if (!snapshot.isValid || snapshot.table.find(chunk) < 0) return this.#mapToOrigin(bio);
    if (bio.isWrite && merger.hold(bio, chunk)) return 'submitted';
    snapshot.remap(bio, chunk);
    if (bio.isWrite) merger.beginWrite(bio.sector);
    return 'remapped';
  }

  #mapToOrigin(bio: Bio): MapResult {
    bio.device = this.#line.origin;
    if (!bio.isWrite) return 'remapped';
    if ((bio.flags & BioFlag.fastZero) !== 0) return endWith(bio, Errno.ENOTSUP);
    return this.#member.place.beginWrite(bio) ? 'remapped' : 'submitted';
  }

  /** What is merged later would undo it. */
  #mapDiscard(bio: Bio): MapResult {
    return endWith(bio, this.#line.discardZeroesCow ? 0 : Errno.ENOTSUP);
  }

  end(bio: Bio): void {
    if (!bio.isWrite) return;
    if (bio.device === this.#line.origin) this.#member.place.endWrite();
    else if (bio.device === this.#line.cow) this.#merger!.endWrite(bio.sector);
  }

  table(): string {
    return printTable(this.#line, this.#member);
  }

  status(): string {
    return this.#member.status();
  }

  measure(): string {
    return this.#member.measure();
  }

  devices(): DeviceRange[] {
    return snapshotRanges(this.#line, this.#context);
  }

  limits(stacked: Limits): Limits {
    return snapshotLimits(stacked, this.#line, this.#member);
  }

  load(): Promise<void> {
    return this.#member.load();
  }

  async preresume(): Promise<void> {
    await this.#member.activate();
    const { snapshot, place } = this.#member;
    if (snapshot === null || this.#merger !== null) return;
    // What is still being copied becomes an exception first: a write to the origin that waits for it would be undone by the merge.
    const release = await place.quiet();
    await snapshot.idle();
    snapshot.isMerging = true;
    release();
    this.#merger = new Merger(snapshot, place, this.#line, this.#context);
  }

  resume(): void {
    this.#member.isSuspended = false;
    this.#merger?.start();
  }

  presuspend(): void {
    this.#merger?.requestStop();
  }

  presuspendUndo(): void {
    this.#merger?.start();
  }

  async postsuspend(): Promise<void> {
    await this.#merger?.stopped();
    this.#member.isSuspended = true;
  }

  async close(): Promise<void> {
    this.#merger?.requestStop();
    await this.#merger?.stopped();
    await this.#member.close();
  }
}
