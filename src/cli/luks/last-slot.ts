/** Taking away the last key slot, or every one, leaves nobody who can open the volume. */

import type { LuksVolume } from '../../formats/luks/types.ts';
import { confirm } from './confirm.ts';
import type { LuksOptions } from './option-table.ts';

/** Of slots that hold the volume's key. */
export function isLastSlot(volume: LuksVolume, slot: number): boolean {
  return volume.slots().every((each) => each.slot === slot || each.unbound);
}

export async function confirmLastSlot(options: LuksOptions): Promise<void> {
  await confirm({
    warning: ['This is the last keyslot. Device will become unusable after purging this key.'],
    batchMode: options['batch-mode'] === true,
  });
}
