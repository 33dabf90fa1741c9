/** One bio to a volume: what the model expects of it while it is under way, and what it says to its answer. */

import { errnoName } from '../../base/errors.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { Bio, BioFlag, NO_DATA, OP_NAMES, Op } from '../../core/bio.ts';
import { ExtentFlag, ExtentList } from '../../core/extents.ts';
import { ANYTHING, type Change, type Version } from './cell.ts';
import type { CellSlot, Slot } from './description.ts';
import { readStamp, writeStamp } from './stamps.ts';
import type { Volume } from './volume.ts';

export interface RequestSpec {
  readonly op: Op;
  readonly flags: number;
  readonly sector: number;
  readonly sectorCount: number;
  /** Where in its buffer the data lie. */
  readonly dataOffset: number;
}

/** What a target may answer without asking an error target below it. */
const IGNORED_ABOVE: readonly Op[] = [Op.blockStatus, Op.discard];
const GUARD_BYTES = 16;
const GUARD = 0xa5;

export function describeSpec({ op, flags, sector, sectorCount }: RequestSpec): string {
  if (op === Op.flush) return 'flush';
  const fua = (flags & BioFlag.fua) !== 0 ? ' (FUA)' : '';
  return `${OP_NAMES[op]}${fua} ${sector}+${sectorCount}`;
}

export class Request {
  readonly #volume: Volume;
  readonly #spec: RequestSpec;
  readonly #bio = new Bio();
  readonly #data: Uint8Array = NO_DATA;
  readonly #stamps: number = 0;
  readonly #release: () => void;
  #change: Change;
  /** In its place where writes may have no effect: it never counts as done. */
  #doubtful: Change;
  #endCount = 0;

  constructor(volume: Volume, spec: RequestSpec, open: () => () => void) {
    const { op, flags, sector, sectorCount, dataOffset } = spec;
    const { ledger } = volume;
    this.#volume = volume;
    this.#spec = spec;
    if (op === Op.read || op === Op.write) {
      this.#data = new Uint8Array(dataOffset + sectorsToBytes(sectorCount) + GUARD_BYTES).fill(
        GUARD,
      );
    }
    if (op === Op.write) {
      this.#stamps = ledger.takeStamps(sectorCount, `${volume.name} ${describeSpec(spec)}`);
      for (let index = 0; index < sectorCount; index += 1) {
        writeStamp(this.#data, dataOffset + index * SECTOR_BYTES, this.#stamps + index);
      }
    }
    const bio = this.#bio;
    bio.op = op;
    bio.flags = flags;
    bio.device = volume.device;
    bio.sector = sector;
    bio.sectorCount = sectorCount;
    bio.data = this.#data;
    bio.dataOffset = dataOffset;
    bio.extents = op === Op.blockStatus ? new ExtentList() : null;
    bio.onEnd = (ended) => this.#end(ended.error);
    [this.#change, this.#doubtful] = this.#begin();
    this.#release = open();
  }

  submit(): void {
    this.#volume.device.submit(this.#bio);
  }

  get start(): number {
    return this.#change.start;
  }

  toString(): string {
    return `${this.#volume.name}: ${describeSpec(this.#spec)}`;
  }

  /** The slots it is about; fewer than it has sectors when it reaches beyond the volume. */
  #slots(): readonly Slot[] {
    const { sector, sectorCount } = this.#spec;
    return this.#volume.slots.slice(sector, sector + sectorCount);
  }

  #begin(): [Change, Change] {
    const { op, flags } = this.#spec;
    const { ledger } = this.#volume;
    const isFua = (flags & BioFlag.fua) !== 0;
    const change = { start: ledger.step(), end: Number.POSITIVE_INFINITY, isDone: false, isFua };
    const doubtful = { ...change };
    if (op === Op.write || op === Op.discard || op === Op.writeZeroes) {
      const horizon = Math.min(change.start, this.#volume.horizon());
      this.#slots().forEach((slot, index) => {
        if (typeof slot === 'string') return;
        const { cell, lens, isDoubtful = false, ignoresDiscards = false } = slot;
        const own = isDoubtful || (ignoresDiscards && op === Op.discard) ? doubtful : change;
        if (op === Op.discard) cell.begin(own, cell.discarded, cell.discardedLens, horizon);
        else cell.begin(own, op === Op.write ? this.#stamps + index : 0, lens, horizon);
      });
    }
    return [change, doubtful];
  }

  /** Another table is live, and this waited for it; of the old one it may have done a part. */
  restart(): void {
    this.#endChanges();
    [this.#change, this.#doubtful] = this.#begin();
  }

  #endChanges(): void {
    const tick = this.#volume.ledger.step();
    this.#change.end = tick;
    this.#doubtful.end = tick;
  }

  /** The machine it was sent from is gone. */
  abandon(): void {
    this.#release();
  }

  #end(errno: number): void {
    const volume = this.#volume;
    const { ledger } = volume;
    this.#endCount += 1;
    if (this.#endCount > 1) ledger.report('answer', `${this} ended ${this.#endCount} times`);
    volume.forget(this);
    this.#release();
    this.#endChanges();
    this.#change.isDone = errno === 0;
    ledger.trace(`${this} ${errno}`);
    if (volume.isCurrent)
      ledger.count(`${OP_NAMES[this.#spec.op]}: ${errno === 0 ? 'ok' : errnoName(errno)}`);
    if (volume.isCurrent) this.#judge(errno);
  }

  #judge(errno: number): void {
    const { op, sectorCount } = this.#spec;
    const slots = this.#slots();
    const isOutside = op !== Op.flush && slots.length < sectorCount;
    const hasError = op !== Op.flush && slots.includes('error');
    if (errno !== 0) {
      if (isOutside || hasError || this.#mayFail(slots)) return;
      this.#report('answer', `failed with ${errnoName(errno)} for no reason`);
    } else if (isOutside || (hasError && !IGNORED_ABOVE.includes(op))) {
      const reason = isOutside ? 'it reaches beyond the end' : 'its range has an error target';
      this.#report('answer', `ended well although ${reason}`);
    } else this.#judgeDone(slots);
  }

  #mayFail(slots: readonly Slot[]): boolean {
    const { op } = this.#spec;
    const volume = this.#volume;
    const { start } = this;
    if (op === Op.flush) return volume.troubles.some((trouble) => trouble.since(start));
    if (op === Op.discard && volume.device.limits.discardGranularityBytes === 0) return true;
    return slots.some((slot) => {
      if (typeof slot === 'string') return slot === 'unknown';
      return slot.troubles.some((trouble) => trouble.since(start));
    });
  }

  #judgeDone(slots: readonly Slot[]): void {
    const { op } = this.#spec;
    this.#judgeGuards();
    if (op === Op.read) {
      for (const [index, slot] of slots.entries()) this.#judgeSector(slot, index);
    } else if (op === Op.write) this.#judgeWritten();
    else if (op === Op.blockStatus) this.#judgeExtents(slots);
    else if (op === Op.flush) this.#volume.flushed(this.start);
  }

  #judgeGuards(): void {
    const { dataOffset, sectorCount } = this.#spec;
    const end = dataOffset + sectorsToBytes(sectorCount);
    const isIntact = (bytes: Uint8Array) => bytes.every((byte) => byte === GUARD);
    const data = this.#data;
    if (data === NO_DATA) return;
    if (
      !isIntact(data.subarray(0, Math.min(dataOffset, GUARD_BYTES))) ||
      !isIntact(data.subarray(end))
    )
      this.#report('content', 'changed memory beside its data');
  }

  #judgeWritten(): void {
    const { dataOffset, sectorCount } = this.#spec;
    for (let index = 0; index < sectorCount; index += 1) {
      const stamp = readStamp(this.#data, dataOffset + index * SECTOR_BYTES);
      if (stamp !== this.#stamps + index) this.#report('content', "changed its sender's data");
    }
  }

  #judgeSector(slot: Slot, index: number): void {
    if (slot === 'anything' || slot === 'unknown') return;
    const stamp = readStamp(this.#data, this.#spec.dataOffset + index * SECTOR_BYTES);
    this.#volume.ledger.trace(String(stamp));
    if (typeof slot === 'string') {
      if (stamp !== 0) this.#reportSector(index, stamp, 'zeroes');
      return;
    }
    const versions = slot.cell.readable(this.start);
    const exact = versions.find((version) => !isVague(version, slot) && version.stamp === stamp);
    // What may be forgotten may be so after it was seen.
    if (exact) {
      if (slot.isDoubtful !== true) slot.cell.see(exact, this.start);
    } else if (!versions.some((version) => isVague(version, slot))) {
      const { ledger } = this.#volume;
      const wanted = versions.map((version) => ledger.describeStamp(version.stamp));
      this.#reportSector(index, stamp, wanted.join(' or '));
    }
  }

  /** What is said to read as zeroes must do so; the rest promises nothing. */
  #judgeExtents(slots: readonly Slot[]): void {
    for (const extent of this.#bio.extents!.normalized(this.#spec.sectorCount)) {
      if ((extent.flags & ExtentFlag.zero) === 0) continue;
      const end = extent.offsetSectors + extent.lengthSectors;
      for (let index = extent.offsetSectors; index < end; index += 1) {
        if (!mayBeZero(slots[index]!, this.start)) {
          this.#report('content', `says that sector ${this.#spec.sector + index} reads as zeroes`);
          return;
        }
      }
    }
  }

  #reportSector(index: number, stamp: number | null, wanted: string): void {
    const got = this.#volume.ledger.describeStamp(stamp);
    const sector = this.#spec.sector + index;
    this.#report('content', `sector ${sector} holds ${got}, expected ${wanted}`);
  }

  #report(kind: 'content' | 'answer', problem: string): void {
    this.#volume.ledger.report(kind, `${this}: ${problem}`);
  }
}

function isVague({ stamp, lens }: Version, slot: CellSlot): boolean {
  return stamp === ANYTHING || lens !== slot.lens;
}

function mayBeZero(slot: Slot, from: number): boolean {
  if (typeof slot === 'string') return slot !== 'error';
  return slot.cell.readable(from).some((version) => isVague(version, slot) || version.stamp === 0);
}
