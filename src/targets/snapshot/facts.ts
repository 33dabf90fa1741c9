/** What is said of the three targets before any of their code is needed. */

import type { TargetType } from '../../core/target.ts';

type Facts = Omit<TargetType, 'create' | 'prepare'>;

const LINE = '<origin> <COW device> <P|PO|N> <chunk> [<#features> <features>]';

export const SNAPSHOT_FACTS: Facts = {
  name: 'snapshot',
  version: [1, 16, 0],
  usage: LINE,
  summary: 'shows a device as it was, and keeps what is written to it elsewhere',
  features: ['owns-flush'],
};

export const ORIGIN_FACTS: Facts = {
  name: 'snapshot-origin',
  version: [1, 9, 0],
  usage: '<origin>',
  summary: 'lets snapshots of a device copy what is about to be overwritten',
};

export const MERGE_FACTS: Facts = {
  name: 'snapshot-merge',
  version: [1, 5, 0],
  usage: LINE,
  summary: 'brings what a snapshot keeps back to its origin',
};
