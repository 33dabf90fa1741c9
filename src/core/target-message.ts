/** Messages to targets: which row of a table gets one, and what is refused before (target_message in drivers/md/dm-ioctl.c). */

import { DmError } from '../base/errors.ts';
import type { Secret } from '../crypto/secret.ts';
import { quoteArgument, splitArguments } from './arguments.ts';
import { readMessage, wipeSecrets } from './line-secrets.ts';
import type { Table } from './table.ts';

/** To the target at `sector`. `deviceName` is for the error. */
export async function sendTargetMessage(
  table: Table | null,
  deviceName: string,
  sector: number,
  argv: readonly string[],
  secrets: readonly Secret[],
): Promise<string | undefined> {
  const [name] = argv;
  if (name === undefined) throw new DmError('EINVAL', 'Empty message received');
  if (name.startsWith('@'))
    throw new DmError('EINVAL', `Unsupported message sent to DM core: ${name}`);
  if (!table) throw new DmError('EINVAL', `The device has no table: ${deviceName}`);
  if (sector < 0 || sector >= table.sizeSectors) {
    throw new DmError(
      'EINVAL',
      `Target message sector outside device: ${sector} of ${table.sizeSectors}`,
    );
  }
  const row = table.find(sector);
  if (!row.target.message) {
    throw new DmError('EINVAL', `Target type does not support messages: ${row.type}`);
  }
  if (secrets.length > 0) return await row.target.message(argv, secrets);
  const read = readMessage(new TextEncoder().encode(argv.map(quoteArgument).join(' ')));
  if (read.secrets.length === 0) return row.target.message(argv, secrets);
  try {
    return await row.target.message(splitArguments(read.text), read.secrets);
  } finally {
    wipeSecrets(read.secrets);
  }
}
