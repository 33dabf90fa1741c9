/** log-writes: a device as it is. What it writes to its log is nothing that a reader sees; a full log only ends logging. */

import { operandOf, type Part, type RowDraft, type TargetDescription } from '../description.ts';

function logWritesRow(part: Part, log: Part): RowDraft {
  return {
    type: 'log-writes',
    lengthSectors: part.lengthSectors,
    params: `${operandOf(part)} ${operandOf(log)}`,
    parts: [part, log],
    // What its device has no discards for is only logged.
    show: ([slots]) =>
      slots!.map((slot) => (typeof slot === 'string' ? slot : { ...slot, ignoresDiscards: true })),
  };
}

export const logWrites: TargetDescription = {
  name: 'log-writes',
  weight: 1,
  isAlone: true,
  draw(drawing) {
    const log = drawing.takeScratch();
    const part = log && drawing.takeStart(drawing.prng.integer(1, 60));
    return log && part && logWritesRow(part, log);
  },
};
