/** How rows of the three targets are made; loaded by `index.ts` with the first of them. */

import type { TargetType } from '../../core/target.ts';
import { readLine } from './line.ts';
import { MergeTarget } from './merge-target.ts';
import { OriginTarget } from './origin-target.ts';
import { SnapshotTarget } from './snapshot-target.ts';

type Create = TargetType['create'];

export const createSnapshot: Create = (args, context) =>
  new SnapshotTarget(readLine(args, { isMerge: false }), context);

export const createOrigin: Create = (args, context) => new OriginTarget(args, context);

export const createMerge: Create = (args, context) =>
  new MergeTarget(readLine(args, { isMerge: true }), context);
