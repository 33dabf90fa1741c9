/** Every target there is: the only list of them. */

import type { TargetType } from '../core/target.ts';
import { chaos } from './chaos/index.ts';
import { crypt } from './crypt/index.ts';
import { delay } from './delay.ts';
import { dust } from './dust.ts';
import { error } from './error.ts';
import { flakey } from './flakey/index.ts';
import { linear } from './linear.ts';
import { logWrites } from './log-writes/index.ts';
import { snapshot, snapshotMerge, snapshotOrigin } from './snapshot/index.ts';
import { striped } from './striped.ts';
import { switchTarget } from './switch.ts';
import { unstriped } from './unstriped.ts';
import { zero } from './zero.ts';

export const targets: readonly TargetType[] = [
  linear,
  striped,
  error,
  zero,
  unstriped,
  switchTarget,
  crypt,
  snapshot,
  snapshotOrigin,
  snapshotMerge,
  flakey,
  delay,
  dust,
  logWrites,
  chaos,
];
