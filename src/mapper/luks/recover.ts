/** What a re-encryption that was killed in the middle of a step needs before the image can be mapped: nobody can say which sectors of that step are old. */

import type { ByteDisk } from '../../core/byte-disk.ts';
import type { Secret } from '../../crypto/secret.ts';
import { readHeader } from '../../formats/luks2/read-header.ts';
import { recoverReencrypt } from '../../formats/luks2/reencrypt/run.ts';
import { reencryptStatus } from '../../formats/luks2/reencrypt/status.ts';
import type { ReencryptDisks } from '../../formats/luks2/reencrypt/types.ts';
import type { LuksImage } from './image.ts';
import { unlockBoth } from './reencrypt.ts';

export async function needsRecovery({ volume, header }: LuksImage): Promise<boolean> {
  return volume.version === 2 && (await isCrashed(header));
}

async function isCrashed(header: ByteDisk): Promise<boolean> {
  return reencryptStatus((await readHeader(header)).metadata) === 'crashed';
}

/**
 * Recovers that step; nothing else is re-encrypted. The disks are open for writing, for this process alone; the passphrase stays the caller's.
 * Throws DmError EPERM when it does not open both keys.
 */
export async function recoverStep(
  { header, data }: ReencryptDisks,
  passphrase: Secret,
): Promise<void> {
  const current = await readHeader(header);
  if (reencryptStatus(current.metadata) !== 'crashed') return;
  using keys = await unlockBoth(header, current.metadata, passphrase);
  await recoverReencrypt({ disks: { header, data }, header: current, keys });
}
