/** Bugs to be found: targets with one thing wrong, made by wrapping the right ones. */

import { Bio, Op } from '../../core/bio.ts';
import type { Target, TargetContext, TargetType } from '../../core/target.ts';
import { linear } from '../../targets/linear.ts';
import { striped } from '../../targets/striped.ts';

export interface Mutant {
  readonly name: string;
  /** In place of the type of its name. */
  readonly type: TargetType;
}

/** The type with something else about its targets; whatever is not in `change` goes to the right one. */
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
      const changed = {
        ...change(target, context),
        shift: undefined,
      };
      return new Proxy(target, {
        get(right, key) {
          if (key in changed) return changed[key as keyof typeof changed];
          const value: unknown = Reflect.get(right, key, right);
          return typeof value === 'function' ? (value.bind(right) as unknown) : value;
        },
      });
    },
  };
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
    const copy = new Bio();
    const { op, flags, device, sector, sectorCount } = bio;
    Object.assign(copy, { op, flags, device, sector, sectorCount });
    copy.data = bio.data.slice(bio.dataOffset, bio.dataOffset + bio.lengthBytes);
    copy.onEnd = () => undefined;
    device!.submit(copy);
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

export const mutants: readonly Mutant[] = [
  { name: 'a flush that is not forwarded', type: forgetsFlushes },
  { name: 'a write answered before the disk ended it', type: answersEarly },
  { name: 'the wrong sector at the end of a row', type: missesBorder },
];
