/** Bugs to be found: targets with one thing wrong, made by wrapping the right ones. */

import type { ArgumentReader } from '../../core/arguments.ts';
import { Bio, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { Target, TargetContext, TargetType } from '../../core/target.ts';
import { linear } from '../../targets/linear.ts';
import { snapshot, snapshotOrigin } from '../../targets/snapshot/index.ts';
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

/** A snapshot whose COW device does with some bios what `takes` does; it answers whether it took one. */
function mutateCow(takes: (bio: Bio) => boolean): TargetType {
  const wrap = (device: BlockDevice) =>
    override<BlockDevice>(device, {
      submit: (bio: Bio) => {
        if (!takes(bio)) device.submit(bio);
      },
    });
  return {
    ...snapshot,
    create(args, context) {
      let openCount = 0;
      const open = (...words: Parameters<ArgumentReader['open']>) => {
        const device = args.open(...words);
        openCount += 1;
        // The origin comes first.
        return openCount === 2 ? wrap(device) : device;
      };
      return snapshot.create(override<ArgumentReader>(args, { open }), context);
    },
  };
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

let metadataCount = 0;
/** Every other time the exceptions that are kept on the COW device are not. */
const losesExceptions = mutateCow((bio) => {
  // What a sender writes is a clone of its own.
  const isMetadata = bio.op === Op.write && bio.parent === null && bio.sector > 0;
  if (!isMetadata) return false;
  metadataCount += 1;
  return metadataCount % 2 === 0 && endWell(bio);
});

/** The exceptions may be on the disk and the data they stand for not. */
const commitsUnflushed = mutateCow((bio) => bio.op === Op.flush && endWell(bio));

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
  { name: 'a lost exception', type: losesExceptions },
  { name: 'exceptions committed without a flush', type: commitsUnflushed },
  { name: 'a copy after the write to the origin', type: copiesLate },
];
