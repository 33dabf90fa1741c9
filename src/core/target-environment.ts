/** What targets have of the world besides devices: time, randomness, and each other. One for all tables of a mapper. */

import { type Clock, systemClock } from '../base/clock.ts';
import { createPrng, type Prng, randomSeed } from '../base/prng.ts';

export interface TargetEnvironment {
  readonly clock: Clock;
  /** Never for keys. */
  readonly prng: Prng;
  /** The one object of a class that targets of all tables share: the snapshots of each origin, say. Made when first asked for. */
  shared<T extends object>(kind: new () => T): T;
}

/** By default the system's clock, and another seed each time. */
export function createEnvironment(
  options: { clock?: Clock | undefined; prng?: Prng | undefined } = {},
): TargetEnvironment {
  const { clock = systemClock, prng = createPrng(randomSeed()) } = options;
  const known = new Map<new () => object, object>();
  return {
    clock,
    prng,
    shared<T extends object>(kind: new () => T): T {
      const found = known.get(kind) as T | undefined;
      const object = found ?? new kind();
      known.set(kind, object);
      return object;
    },
  };
}
