/** delay, dust and flakey: linear rows that take their time, fail, or forget. */

import {
  ALWAYS,
  cutLinear,
  operandOf,
  type Part,
  type RowDraft,
  type Slot,
  type TargetDescription,
} from '../description.ts';

/** `delaysMs`: of reads, writes and flushes, or of those that are not as the one before. */
function delayRow(delaysMs: readonly number[], part: Part): RowDraft {
  const place = `${operandOf(part)} ${part.startSectors}`;
  return {
    type: 'delay',
    lengthSectors: part.lengthSectors,
    params: delaysMs.map((ms) => `${place} ${ms}`).join(' '),
    parts: [part],
    show: ([slots]) => slots!,
    cut: cutLinear(part, (piece) => delayRow(delaysMs, piece)),
  };
}

export const delay: TargetDescription = {
  name: 'delay',
  weight: 1,
  draw(drawing) {
    const { prng } = drawing;
    const part = drawing.take(prng.integer(1, 40));
    const count = prng.integer(1, 3);
    const delaysMs = Array.from({ length: count }, () => prng.pick([0, 0, 1, 5, 30]));
    return part && delayRow(delaysMs, part);
  },
};

interface BadBlocks {
  blockSectors: number;
  isEnabled: boolean;
  hasBad: boolean;
}

/** Which blocks are bad is not followed: once there are any, requests may fail. */
function dustRow(state: BadBlocks, part: Part, fresh?: RowDraft): RowDraft {
  const { blockSectors, isEnabled, hasBad } = state;
  const { startSectors, lengthSectors } = part;
  const fails = isEnabled && hasBad;
  const row: RowDraft = {
    type: 'dust',
    lengthSectors,
    params: `${operandOf(part)} ${startSectors} ${blockSectors * 512}`,
    parts: [part],
    show: ([slots]) => (fails ? slots!.map(failing) : slots!),
    message(prng) {
      const first = Math.floor(startSectors / blockSectors);
      const block = first + prng.integer(0, Math.floor(lengthSectors / blockSectors) - 1);
      const [argv, change] = prng.pick<[string[], Partial<BadBlocks>]>([
        [['enable'], { isEnabled: true }],
        [['disable'], { isEnabled: false }],
        // One at a time: what is bad already must not be added.
        hasBad
          ? [['clearbadblocks'], { hasBad: false }]
          : [['addbadblock', String(block)], { hasBad: true }],
      ]);
      return { argv, after: dustRow({ ...state, ...change }, part, fresh ?? row) };
    },
  };
  return fresh ? { ...row, fresh } : row;
}

function failing(slot: Slot): Slot {
  if (typeof slot === 'string') return slot === 'error' ? 'error' : 'unknown';
  return { ...slot, troubles: [ALWAYS] };
}

export const dust: TargetDescription = {
  name: 'dust',
  weight: 1,
  draw(drawing) {
    const { prng } = drawing;
    const blockSectors = prng.pick([1, 1, 2, 8]);
    const part = drawing.take(prng.integer(blockSectors, 40));
    return part && dustRow({ blockSectors, isEnabled: false, hasBad: false }, part);
  },
};

const FLAKEY_KINDS = [
  { features: '', show: failing },
  { features: ' 1 error_reads', show: failing },
  { features: ' 1 error_writes', show: failing },
  { features: ' 1 drop_writes', show: doubtful },
] as const;

function doubtful(slot: Slot): Slot {
  if (typeof slot === 'string') return slot === 'error' ? 'unknown' : slot;
  return { ...slot, isDoubtful: true };
}

function flakeyRow(seconds: string, kind: (typeof FLAKEY_KINDS)[number], part: Part): RowDraft {
  const { features, show } = kind;
  const isSteady = seconds.endsWith(' 0');
  return {
    type: 'flakey',
    lengthSectors: part.lengthSectors,
    params: `${operandOf(part)} ${part.startSectors} ${seconds}${features}`,
    parts: [part],
    show: ([slots]) => (isSteady ? slots! : slots!.map(show)),
    ...(!isSteady && { troubles: [ALWAYS] }),
    cut: cutLinear(part, (piece) => flakeyRow(seconds, kind, piece)),
  };
}

export const flakey: TargetDescription = {
  name: 'flakey',
  weight: 1,
  draw(drawing) {
    const { prng } = drawing;
    const part = drawing.take(prng.integer(1, 40));
    const seconds = prng.pick(['1 0', '1 1', '0 1', '2 1']);
    return part && flakeyRow(seconds, prng.pick(FLAKEY_KINDS), part);
  },
};
