/**
 * One row of a snapshot table. Source: Documentation/admin-guide/device-mapper/snapshot.rst
 *
 * A read goes to the COW device where its chunk has an exception, else to the origin, and is counted there until it ended. Sectors are those of the origin.
 */

import { Errno } from '../../base/errors.ts';
import { Bio, BioFlag, Op } from '../../core/bio.ts';
import type { BlockDevice, DeviceRange } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import type { MapResult, PassThrough, Target, TargetContext } from '../../core/target.ts';
import type { SnapshotLine } from './line.ts';
import { SnapshotMember } from './member.ts';
import { endWith, pieceSectors, printTable, snapshotLimits, snapshotRanges } from './row.ts';
import type { Snapshot } from './snapshot.ts';

export class SnapshotTarget implements Target {
  readonly #line: SnapshotLine;
  readonly #context: TargetContext;
  readonly #member: SnapshotMember;

  constructor(line: SnapshotLine, context: TargetContext) {
    this.#line = line;
    this.#context = context;
    this.#member = new SnapshotMember(line, context, false);
  }

  get maxIoSectors(): number {
    return pieceSectors(this.#context.start, this.#member.chunkSectors);
  }

  map(bio: Bio): MapResult {
    const { snapshot } = this.#member;
    if (bio.op === Op.flush) {
      bio.device = this.#line.cow;
      return 'remapped';
    }
    if (snapshot === null || !snapshot.isValid) return 'kill';
    const chunk = snapshot.chunkOf(bio.sector);
    if (!bio.isWrite) return this.#mapRead(bio, snapshot, chunk);
    if (snapshot.refusesWrites) return 'kill';
    if (bio.op === Op.discard) return this.#mapDiscard(bio, snapshot, chunk);
    if (snapshot.remap(bio, chunk)) return 'remapped';
    if ((bio.flags & BioFlag.fastZero) !== 0) return endWith(bio, Errno.ENOTSUP);
    return snapshot.write(bio, chunk) ? 'submitted' : 'kill';
  }

  #mapRead(bio: Bio, snapshot: Snapshot, chunk: number): MapResult {
    if (!snapshot.remap(bio, chunk)) {
      bio.device = this.#line.origin;
      snapshot.readers.begin(chunk);
    }
    return 'remapped';
  }

  end(bio: Bio): void {
    if (bio.isWrite || bio.device !== this.#line.origin) return;
    const snapshot = this.#member.snapshot!;
    snapshot.readers.end(snapshot.chunkOf(bio.sector));
    // Since it became invalid the origin is written without a copy: this may be what was written.
    if (!snapshot.isValid && bio.error === 0) bio.error = Errno.EIO;
  }

  /** A chunk without exception has nothing to lose. One that has is zeroed, and of a part of it the COW device may do what it likes. */
  #mapDiscard(bio: Bio, snapshot: Snapshot, chunk: number): MapResult {
    if (!this.#line.discardZeroesCow) return endWith(bio, Errno.ENOTSUP);
    if (snapshot.table.find(chunk) < 0) return this.#passDiscard(bio);
    const isWhole = bio.sectorCount === snapshot.chunkSectors;
    if (!isWhole && !canDiscard(this.#line.cow)) return this.#passDiscard(bio);
    const before = new Bio();
    before.op = isWhole ? Op.writeZeroes : Op.discard;
    before.sector = bio.sector;
    before.sectorCount = bio.sectorCount;
    snapshot.remap(before, chunk);
    before.onEnd = ({ error }) => {
      if (error !== 0) endWith(bio, error);
      else if (this.#passDiscard(bio) === 'remapped') bio.device!.submit(bio);
    };
    before.device!.submit(before);
    return 'submitted';
  }

  /** On to the origin, where that is asked for. */
  #passDiscard(bio: Bio): MapResult {
    const { origin, discardPassdownOrigin } = this.#line;
    if (!discardPassdownOrigin || !canDiscard(origin)) return endWith(bio, 0);
    bio.device = origin;
    return 'remapped';
  }

  passThrough(): PassThrough | null {
    if (this.#member.snapshot?.isUntouched !== true) return null;
    return { device: this.#line.origin, sectors: 0, ops: 'reads' };
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

  preresume(): Promise<void> {
    return this.#member.activate();
  }

  resume(): void {
    this.#member.isSuspended = false;
  }

  postsuspend(): void {
    this.#member.isSuspended = true;
  }

  close(): Promise<void> {
    return this.#member.close();
  }
}

function canDiscard({ limits }: BlockDevice): boolean {
  return limits.discardGranularityBytes > 0;
}
