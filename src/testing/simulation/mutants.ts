/** Bugs to be found: targets with one thing wrong, made by wrapping the right ones. */

import type { ArgumentReader } from '../../core/arguments.ts';
import { Bio, BioFlag, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { Target, TargetContext, TargetType } from '../../core/target.ts';
import { linear } from '../../targets/linear.ts';
import { snapshot, snapshotMerge, snapshotOrigin } from '../../targets/snapshot/index.ts';
import { striped } from '../../targets/striped.ts';

export interface Mutant {
  readonly name: string;
  /** In place of the type of its name. */
  readonly type: TargetType;
}

/** The object with something else about it; whatever is not in `changed` goes to the right one. */
function override<T extends object>(right: T, changed: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(right, {
    get(_, key) {
      if (key in changed) return changed[key as keyof T];
      const value: unknown = Reflect.get(right, key, right);
      return typeof value === 'function' ? (value.bind(right) as unknown) : value;
    },
  });
}

function mutate(
  type: TargetType,
  change: (target: Target, context: TargetContext) => Partial<Target>,
  features = type.features ?? [],
): TargetType {
  return {
    ...type,
    features,
    create(args, context) {
      const target = type.create(args, context);
      // A shift would pass by the wrong `map`.
      return override<Target>(target, { ...change(target, context), shift: undefined });
    },
  };
}

/** Of the number in a store's header that says whether it is valid. */
const VALID_OFFSET = 4;
const ORIGIN = 1;
const COW = 2;

/** One of whose devices, counted as its row names them, does with some bios what `takes` does; it answers whether it took one. */
function mutateDevice(
  type: TargetType,
  number: number,
  createTakes: () => (bio: Bio) => boolean,
): TargetType {
  const wrap = (device: BlockDevice) => {
    const takes = createTakes();
    return override<BlockDevice>(device, {
      submit: (bio: Bio) => {
        if (!takes(bio)) device.submit(bio);
      },
    });
  };
  return {
    ...type,
    create(args, context) {
      let openCount = 0;
      const counted = (device: BlockDevice) => {
        openCount += 1;
        return openCount === number ? wrap(device) : device;
      };
      const changed = {
        open: (...words: Parameters<ArgumentReader['open']>) => counted(args.open(...words)),
        openReadOnly: (...words: Parameters<ArgumentReader['openReadOnly']>) =>
          counted(args.openReadOnly(...words)),
      };
      return type.create(override<ArgumentReader>(args, changed), context);
    },
  };
}

/** What a sender sends comes as a clone, which has a parent. */
function isOwn(bio: Bio): boolean {
  return bio.parent === null;
}

function endWell(bio: Bio): true {
  bio.end(0);
  return true;
}

/** With data of its own. */
function copyOf(bio: Bio): Bio {
  const copy = new Bio();
  const { op, flags, device, sector, sectorCount, dataOffset } = bio;
  Object.assign(copy, { op, flags, device, sector, sectorCount });
  copy.data = bio.data.slice(dataOffset, dataOffset + bio.lengthBytes);
  return copy;
}

/** The disk has a flush to do, and is not told. */
const forgetsFlushes = mutate(
  linear,
  (target) => ({
    map(bio) {
      if (bio.op !== Op.flush) return target.map(bio);
      bio.end(0);
      return 'submitted';
    },
  }),
  ['owns-flush'],
);

/** The sender hears of the end of a write before the disk has done it. */
const answersEarly = mutate(linear, (target) => ({
  map(bio) {
    const result = target.map(bio);
    if (bio.op !== Op.write) return result;
    const copy = copyOf(bio);
    copy.onEnd = () => undefined;
    copy.device!.submit(copy);
    bio.end(0);
    return 'submitted';
  },
}));

/** The last sector of a row comes from the one before it. */
const missesBorder = mutate(striped, (target, { start, length }) => ({
  map(bio) {
    const isBorder = bio.sector === start + length - 1 && bio.sectorCount === 1;
    if (isBorder && length > 1 && bio.op === Op.read) bio.sector -= 1;
    return target.map(bio);
  },
}));

/** The disk may keep to itself for a while what its sender wants to be durable. */
const forgetsFua = mutate(striped, (target) => ({
  map(bio) {
    bio.flags &= ~BioFlag.fua;
    return target.map(bio);
  },
}));

/** Every other time the exceptions that are kept on the COW device are not. */
const losesExceptions = mutateDevice(snapshot, COW, () => {
  let count = 0;
  return (bio) => {
    if (bio.op !== Op.write || !isOwn(bio) || bio.sector === 0) return false;
    count += 1;
    return count % 2 === 0 && endWell(bio);
  };
});

/** The exceptions may be on the disk and the data they stand for not. */
const commitsUnflushed = mutateDevice(snapshot, COW, () => (bio) => {
  return bio.op === Op.flush && endWell(bio);
});

/** The data may be on the disk, acknowledged, and the exceptions not. */
const commitsWithoutFua = mutateDevice(snapshot, COW, () => (bio) => {
  if (isOwn(bio)) bio.flags &= ~BioFlag.fua;
  return false;
});

/** The header stays as it was. */
const keepsValid = mutateDevice(snapshot, COW, () => (bio) => {
  const isHeader = bio.op === Op.write && bio.sector === 0 && isOwn(bio);
  return isHeader && bio.data[bio.dataOffset + VALID_OFFSET] === 0 && endWell(bio);
});

/** The exceptions are gone, and what they stood for is not on the origin for good. */
const mergesUnflushed = mutateDevice(snapshotMerge, ORIGIN, () => (bio) => {
  return bio.op === Op.flush && isOwn(bio) && endWell(bio);
});

/** What is copied for the snapshots is the new content already. */
const copiesLate = mutate(snapshotOrigin, (target) => ({
  map(bio) {
    if (bio.op !== Op.write) return target.map(bio);
    const copy = copyOf(bio);
    copy.device = target.devices()[0]!.device;
    copy.onEnd = () => {
      if (target.map(bio) === 'remapped') bio.device!.submit(bio);
    };
    copy.device.submit(copy);
    return 'submitted';
  },
}));

export const mutants: readonly Mutant[] = [
  { name: 'a flush that is not forwarded', type: forgetsFlushes },
  { name: 'a write answered before the disk ended it', type: answersEarly },
  { name: 'the wrong sector at the end of a row', type: missesBorder },
  { name: 'FUA that gets lost', type: forgetsFua },
  { name: 'a lost exception', type: losesExceptions },
  { name: 'exceptions committed without a flush', type: commitsUnflushed },
  { name: 'exceptions that are not durable when they are committed', type: commitsWithoutFua },
  { name: 'an invalid snapshot whose store does not say so', type: keepsValid },
  { name: 'a merge without a flush', type: mergesUnflushed },
  { name: 'a copy after the write to the origin', type: copiesLate },
];
