/** Does one request as it was decided, on the store of writes. */

import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { type Bio, BioFlag, NO_DATA, Op } from '../../core/bio.ts';
import type { Decision, Fault, RequestShape, RuleState } from './decide.ts';
import type { HoldPolicy } from './hold-policy.ts';
import type { Write } from './write.ts';
import type { Done, WriteStore } from './write-store.ts';

/** What else rules want to be done with writes. */
export interface WriteHabits {
  /** Rules that remember what writes replace. */
  remembering(write: Write): readonly RuleState[];
  /** What holds a write that no rule reorders; null: nothing does. */
  readonly cachePolicy: HoldPolicy | null;
}

export class Performer {
  readonly #store: WriteStore;
  readonly #habits: WriteHabits;

  constructor(store: WriteStore, habits: WriteHabits) {
    this.#store = store;
    this.#habits = habits;
  }

  /** `done` when it ends; the bio itself is left to the caller. */
  perform(bio: Bio, request: RequestShape, decision: Decision, done: Done): void {
    const { fault } = decision;
    if (fault?.kind === 'fail') done(fault.errno);
    else if (fault?.kind === 'lost') done(0);
    else if (bio.op === Op.flush) this.#store.flush(done);
    else if (bio.op === Op.read) this.#read(bio, request, fault, done);
    else this.#write(bio, request, decision, done);
  }

  #read(bio: Bio, { sector, sectorCount }: RequestShape, fault: Fault | null, done: Done): void {
    const { data, dataOffset } = bio;
    const from = fault?.kind === 'misdirected' ? sector + fault.shiftSectors : sector;
    this.#store.read({ sector: from, sectorCount, data, dataOffset }, (errno) => {
      const bytes = data.subarray(dataOffset, dataOffset + sectorsToBytes(sectorCount));
      if (errno === 0 && fault?.kind === 'stale') fault.old.overlay(sector, bytes);
      if (errno === 0 && fault?.kind === 'flipped') flip(bytes, fault.bits);
      done(errno);
    });
  }

  #write(bio: Bio, request: RequestShape, decision: Decision, done: Done): void {
    const { fault } = decision;
    const write = writeOf(bio, request, fault);
    const answer = fault?.kind === 'torn' ? fault.errno : 0;
    if (write.sectorCount === 0) {
      done(answer);
      return;
    }
    const policy = decision.reorder?.policy ?? this.#habits.cachePolicy;
    this.#rememberOld(write, () => {
      this.#put(write, policy, (errno) => done(errno === 0 ? answer : errno));
    });
  }

  /** What the write will replace is read first, for rules that want it. */
  #rememberOld(write: Write, next: () => void): void {
    const { sector, sectorCount } = write;
    const wanting = this.#habits.remembering(write).filter(({ old }) => old!.fits(sectorCount));
    for (const { old } of this.#habits.remembering(write)) old!.forget(sector, sectorCount);
    if (wanting.length === 0) {
      next();
      return;
    }
    const data = new Uint8Array(sectorsToBytes(sectorCount));
    this.#store.read({ sector, sectorCount, data, dataOffset: 0 }, (errno) => {
      if (errno === 0) for (const { old } of wanting) old!.remember(sector, data);
      next();
    });
  }

  #put(write: Write, policy: HoldPolicy | null, done: Done): void {
    if (!policy?.takes(write)) {
      this.#store.pass(write, done);
      return;
    }
    this.#store.hold(ownCopy(write), policy);
    done(0);
  }
}

/** What of the request reaches the store, and where. The caller's data are only read. */
function writeOf(bio: Bio, { sector, sectorCount }: RequestShape, fault: Fault | null): Write {
  const { flags, data, dataOffset } = bio;
  const op = bio.op as Write['op'];
  const write = { op, flags, sector, sectorCount, data, dataOffset };
  if (fault?.kind === 'torn') return { ...write, sectorCount: fault.landingSectors };
  if (fault?.kind === 'misdirected') return { ...write, sector: sector + fault.shiftSectors };
  if (fault?.kind !== 'flipped') return write;
  const damaged = data.slice(dataOffset, dataOffset + sectorCount * SECTOR_BYTES);
  flip(damaged, fault.bits);
  return { ...write, data: damaged, dataOffset: 0 };
}

/** The caller gets its buffer back at once. A write that is held is none that must be durable. */
function ownCopy(write: Write): Write {
  const flags = write.flags & ~BioFlag.fua;
  if (write.op !== Op.write) return { ...write, flags, data: NO_DATA, dataOffset: 0 };
  const { dataOffset } = write;
  const data = write.data.slice(dataOffset, dataOffset + sectorsToBytes(write.sectorCount));
  return { ...write, flags, data, dataOffset: 0 };
}

function flip(bytes: Uint8Array, bits: readonly number[]): void {
  for (const bit of bits) bytes[bit >>> 3]! ^= 1 << (bit & 7);
}
