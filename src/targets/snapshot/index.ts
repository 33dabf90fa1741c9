/** snapshot, snapshot-origin and snapshot-merge: one machine, loaded by the first table that names one of them. */

import { assert } from '../../base/assert.ts';
import type { TargetType } from '../../core/target.ts';
import { MERGE_FACTS, ORIGIN_FACTS, SNAPSHOT_FACTS } from './facts.ts';

type Machine = typeof import('./targets.ts');

let machine: Machine | undefined;

async function prepare(): Promise<void> {
  machine ??= await import('./targets.ts');
}

function loaded(): Machine {
  assert(machine !== undefined, 'a target is prepared before it is made');
  return machine;
}

export const snapshot: TargetType = {
  ...SNAPSHOT_FACTS,
  prepare,
  create: (args, context) => loaded().createSnapshot(args, context),
};

export const snapshotOrigin: TargetType = {
  ...ORIGIN_FACTS,
  prepare,
  create: (args, context) => loaded().createOrigin(args, context),
};

export const snapshotMerge: TargetType = {
  ...MERGE_FACTS,
  prepare,
  create: (args, context) => loaded().createMerge(args, context),
};
