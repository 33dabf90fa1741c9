/** chaos: rules that leave it to say what a reader may see. Those that show anything at all are in its own tests. */

import {
  ALWAYS,
  cutLinear,
  operandOf,
  type Part,
  type RowDraft,
  type Slot,
  type TargetDescription,
} from '../description.ts';

interface Kind {
  readonly rule: string;
  readonly fails?: boolean;
  /** What was acknowledged may be lost. */
  readonly forgets?: boolean;
  /** What it acknowledged reaches the disk later, so that nobody else must use what is below. */
  readonly holds?: boolean;
  /** A disk that fails then makes it forget. */
  readonly wantsNoFaults?: boolean;
}

const KINDS: readonly Kind[] = [
  { rule: '' },
  { rule: 'latency:dist=uniform,min=0,max=20' },
  { rule: 'latency:dist=disk' },
  { rule: 'eio:p=0.2', fails: true },
  { rule: 'timeout:p=0.2,ms=30', fails: true },
  { rule: 'torn:p=0.3,answer=eio', fails: true },
  { rule: 'torn:p=0.3', forgets: true },
  { rule: 'lost:p=0.3', forgets: true },
  { rule: 'lost:op=flush', forgets: true },
  { rule: 'reorder:ms=20', holds: true, wantsNoFaults: true },
  { rule: 'powercut:p=0', holds: true, wantsNoFaults: true },
  { rule: 'powercut:p=0.05,ms=20', fails: true, forgets: true, holds: true },
];

function chaosRow(kind: Kind, part: Part): RowDraft {
  const { rule, fails = false, forgets = false } = kind;
  const show = (slot: Slot): Slot => {
    if (typeof slot === 'string') return fails || forgets ? 'unknown' : slot;
    return {
      ...slot,
      ...(fails && { troubles: [ALWAYS] }),
      ...(forgets && { isDoubtful: true }),
    };
  };
  return {
    type: 'chaos',
    lengthSectors: part.lengthSectors,
    params: `${operandOf(part)} ${part.startSectors} ${rule === '' ? '0' : `1 ${rule}`}`,
    parts: [part],
    show: ([slots]) => slots!.map(show),
    ...(fails && { troubles: [ALWAYS] }),
    cut: cutLinear(part, (piece) => chaosRow(kind, piece)),
  };
}

export const chaos: TargetDescription = {
  name: 'chaos',
  weight: 1.5,
  draw(drawing) {
    const { prng, isFaultless } = drawing;
    const kind = prng.pick(KINDS.filter(({ wantsNoFaults }) => isFaultless || !wantsNoFaults));
    const onDisk = kind.holds ?? false;
    const part = drawing.take(prng.integer(1, 40), { onDisk });
    return part && chaosRow(kind, part);
  },
};
