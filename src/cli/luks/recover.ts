/** Opening recovers what a killed re-encryption left, as cryptsetup does, and says so. */

import type { Secret } from '../../crypto/secret.ts';
import { needsRecovery, recoverStep } from '../../mapper/luks/recover.ts';
import { CommandError } from '../failure.ts';
import { withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { processHost } from './passphrase.ts';
import { WRONG_PARAMETERS } from './status.ts';
import { type UnlockRequest, unlock, wipeUnlocked } from './unlock.ts';

/** Answers the passphrase, which the caller wipes; null: there was nothing to recover, and nobody was asked. Throws CommandError. */
export async function recoverFirst(
  path: string,
  options: LuksOptions,
  request: UnlockRequest,
): Promise<Secret | null> {
  if (!(await withImage(path, options, 'read', needsRecovery))) return null;
  if (options.readonly) throw refusal('the image is opened read-only');
  if (options['volume-key-file'] !== undefined) throw refusal('that takes a passphrase');
  return await withImage(path, options, 'data', async (image) => {
    const unlocked = await unlock(image.volume, request);
    try {
      const { passphrase } = unlocked;
      if (passphrase === null) throw refusal('that takes a passphrase');
      await recoverStep(image, passphrase);
    } catch (error) {
      wipeUnlocked(unlocked);
      throw error;
    }
    unlocked.volumeKey.wipe();
    processHost.say('The interrupted step of LUKS2 re-encryption was recovered.');
    return unlocked.passphrase;
  });
}

function refusal(reason: string): CommandError {
  return new CommandError('Device requires reencryption recovery. Run repair first.', {
    status: WRONG_PARAMETERS,
    details: [`re-encryption was interrupted in the middle of a step, and ${reason}`],
  });
}
