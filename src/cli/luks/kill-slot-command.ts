/** `devmapper luks kill-slot`: by its number. */

import { DmError } from '../../base/errors.ts';
import type { LuksVolume } from '../../formats/luks/types.ts';
import { CommandError } from '../failure.ts';
import { type LuksCommand, type LuksInvocation, UNLOCK_OPTIONS } from './command.ts';
import { withImage } from './image.ts';
import { confirmLastSlot, isLastSlot } from './last-slot.ts';
import type { LuksOptions } from './option-table.ts';
import { slotOperand } from './requests.ts';
import { WRONG_PARAMETERS } from './status.ts';
import { NO_KEY, type Unlockable, unlock, wipeUnlocked } from './unlock.ts';

const HELP = `
Asks for a passphrase of another slot first, so that one is left that works; with --batch-mode, and without --key-file, it does not.
Before the last slot goes it asks: nobody can open the volume then.

Examples:
  devmapper luks kill-slot disk.img 1
  devmapper luks kill-slot -q disk.img 1             no question at all
  devmapper luks kill-slot --key-file key.bin disk.img 1
`;

export const killSlotCommand: LuksCommand = {
  name: 'kill-slot',
  usage: '<image> <slot> [options]',
  summary: 'take away a key slot by its number',
  operands: [2, 2],
  options: [...UNLOCK_OPTIONS, 'verify-passphrase', 'tries', 'type', 'header'],
  help: HELP,
  run: killSlot,
};

async function killSlot({ operands, options }: LuksInvocation): Promise<void> {
  const [path = '', word = ''] = operands;
  const slot = slotOperand(word);
  await withImage(path, options, 'header', async ({ volume }) => {
    checkActive(volume, slot);
    if (isLastSlot(volume, slot)) await confirmLastSlot(options);
    const needsProof = options['batch-mode'] !== true || options['key-file'] !== undefined;
    if (needsProof) await proveAnother(volume, slot, options);
    await volume.killSlot(slot);
  });
}

function checkActive(volume: LuksVolume, slot: number): void {
  const slots = volume.slots().map((each) => each.slot);
  if (slots.includes(slot)) return;
  throw new CommandError(`Keyslot ${slot} is not active.`, {
    status: WRONG_PARAMETERS,
    details: [slots.length === 0 ? 'none is' : `key slots in use: ${slots.join(', ')}`],
  });
}

/** That the passphrase opens a slot that stays; the last one's own passphrase does for itself. */
async function proveAnother(volume: LuksVolume, slot: number, options: LuksOptions): Promise<void> {
  const prompt = 'Enter any remaining passphrase';
  if (isLastSlot(volume, slot)) {
    wipeUnlocked(await unlock(volume, { prompt, options, slot }));
    return;
  }
  wipeUnlocked(await unlock(withoutSlot(volume, slot), { prompt, options }));
}

/** The volume as if the slot were gone already. */
function withoutSlot(volume: LuksVolume, slot: number): Unlockable {
  const rest = volume.slots().filter((each) => each.slot !== slot && !each.unbound);
  return {
    keyBytes: volume.keyBytes,
    slots: () => rest,
    unlockWithVolumeKey: (key) => volume.unlockWithVolumeKey(key),
    unlock: async (passphrase) => {
      for (const each of rest) {
        const unlocked = await volume.unlock(passphrase, { slot: each.slot }).catch(nullIfWrong);
        if (unlocked !== null) return unlocked;
      }
      throw new DmError('EPERM', NO_KEY);
    },
  };
}

function nullIfWrong(error: unknown): null {
  if (error instanceof DmError && error.code === 'EPERM') return null;
  throw error;
}
