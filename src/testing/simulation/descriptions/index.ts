/** Every target in the draw; a test fails when a registered one is missing. */

import type { TargetDescription } from '../description.ts';
import { chaos } from './chaos.ts';
import { crypt } from './crypt.ts';
import { logWrites } from './log-writes.ts';
import { error, linear, striped, unstriped, zero } from './plain.ts';
import { switchTarget } from './switch.ts';
import { delay, dust, flakey } from './unreliable.ts';

/** Drawn by steps of their own, with several volumes each: see snapshot-steps.ts. */
const [snapshot, snapshotOrigin, snapshotMerge] = [
  'snapshot',
  'snapshot-origin',
  'snapshot-merge',
].map((name): TargetDescription => ({ name, weight: 0, draw: () => null })) as [
  TargetDescription,
  TargetDescription,
  TargetDescription,
];

export const descriptions: readonly TargetDescription[] = [
  linear,
  striped,
  unstriped,
  zero,
  error,
  switchTarget,
  crypt,
  delay,
  dust,
  flakey,
  logWrites,
  chaos,
  snapshot,
  snapshotOrigin,
  snapshotMerge,
];
