/** Puts a damaged header right: the bad copy of two, and a re-encryption that was killed in the middle of a step. */

import type { ByteDisk } from '../../core/byte-disk.ts';
import type { Secret } from '../../crypto/secret.ts';
import { openFileDisk } from '../../devices/byte-disk.ts';
import { openLuks, probeLuks } from '../../formats/luks/index.ts';
import { repairLuks1 } from '../../formats/luks1/repair.ts';
import { isDamaged } from '../../formats/luks2/header.ts';
import { readHeader } from '../../formats/luks2/read-header.ts';
import { reencryptStatus } from '../../formats/luks2/reencrypt/status.ts';
import { repairHeader } from '../../formats/luks2/write-header.ts';
import { recoverStep } from './recover.ts';

export interface RepairOptions {
  /** Path of a detached header. */
  header?: string;
  /** Asked before anything is written, with what is wrong; rejects to give up. */
  approve(what: string): Promise<void>;
  /** Asked for only where a re-encryption must be recovered. */
  passphrase(): Promise<Secret>;
}

const NOTHING = 'No known problems detected for LUKS header.';

/** Answers what was done, in a sentence. Throws DmError, FormatError: beyond repair. */
export async function repairImage(path: string, options: RepairOptions): Promise<string> {
  await using header = await openFileDisk(options.header ?? path, {
    readOnly: false,
    lock: 'image',
  });
  const found = await probeLuks(header);
  if (found.kind !== 'none' && found.version === 1) return await repairVersion1(header, options);
  await openLuks(header);
  const done = [
    ...(await repairCopies(header, options)),
    ...(await repairReencryption(path, header, options)),
  ];
  return done.length === 0 ? NOTHING : done.join('; ');
}

async function repairVersion1(disk: ByteDisk, { approve }: RepairOptions): Promise<string> {
  const found = await probeLuks(disk);
  if (found.kind !== 'damaged') return NOTHING;
  await approve(`${found.problem.message}\nKey slots that are in use are not touched.`);
  return (await repairLuks1(disk)).join(' ') || NOTHING;
}

async function repairCopies(disk: ByteDisk, { approve }: RepairOptions): Promise<string[]> {
  const { damage, ...header } = await readHeader(disk);
  if (!isDamaged({ ...header, damage })) return [];
  const problem = damage.primary ?? damage.secondary;
  await approve(`${problem?.message ?? ''}\nThe other copy will be written over it.`);
  await repairHeader(disk);
  return [`the ${damage.primary ? 'primary' : 'secondary'} header was written anew`];
}

async function repairReencryption(
  path: string,
  header: ByteDisk,
  options: RepairOptions,
): Promise<string[]> {
  const { metadata } = await readHeader(header);
  if (reencryptStatus(metadata) !== 'crashed') return [];
  await options.approve(
    'LUKS2 reencryption was interrupted in the middle of a step. It will be recovered.',
  );
  using passphrase = await options.passphrase();
  if (options.header === undefined) {
    await recoverStep({ header, data: header }, passphrase);
  } else {
    await using data = await openFileDisk(path, { readOnly: false, lock: 'image' });
    await recoverStep({ header, data }, passphrase);
  }
  return ['the interrupted step of re-encryption was recovered'];
}
