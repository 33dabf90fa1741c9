/** Every target in the draw; a test fails when a registered one is missing. */

import type { TargetDescription } from '../description.ts';
import { crypt } from './crypt.ts';
import { error, linear, striped, unstriped, zero } from './plain.ts';
import { switchTarget } from './switch.ts';

export const descriptions: readonly TargetDescription[] = [
  linear,
  striped,
  unstriped,
  zero,
  error,
  switchTarget,
  crypt,
];
