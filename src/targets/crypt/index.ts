/** The crypt target, loaded by the first table that names it: commands that only look start faster without the ciphers. */

import { assert } from '../../base/assert.ts';
import type { TargetType } from '../../core/target.ts';
import { CRYPT_FACTS } from './facts.ts';

let loaded: Pick<TargetType, 'create'> | undefined;

export const crypt: TargetType = {
  ...CRYPT_FACTS,
  async prepare() {
    loaded ??= await import('./with-ciphers.ts');
  },
  create(args, context) {
    assert(loaded !== undefined, 'a target is prepared before it is made');
    return loaded.create(args, context);
  },
};
