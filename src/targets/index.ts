/** Every target there is: the only list of them. */

import type { TargetType } from '../core/target.ts';
import { crypt } from './crypt/index.ts';
import { delay } from './delay.ts';
import { dust } from './dust.ts';
import { error } from './error.ts';
import { flakey } from './flakey/index.ts';
import { linear } from './linear.ts';
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
  flakey,
  delay,
  dust,
];
