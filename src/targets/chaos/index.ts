/** The chaos target, loaded by the first table that names it. */

import { assert } from '../../base/assert.ts';
import type { TargetType } from '../../core/target.ts';
import { CHAOS_FACTS } from './facts.ts';

let loaded: Pick<TargetType, 'create'> | undefined;

export const chaos: TargetType = {
  ...CHAOS_FACTS,
  async prepare() {
    loaded ??= await import('./line.ts');
  },
  create(args, context) {
    assert(loaded !== undefined, 'a target is prepared before it is made');
    return loaded.create(args, context);
  },
};
