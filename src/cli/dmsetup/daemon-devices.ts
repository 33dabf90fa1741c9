/** What the daemon holds, for commands that work without one too. */

import { DmError } from '../../base/errors.ts';
import type { DmClient } from '../../control/client/dm-client.ts';
import type { DevicesAnswer } from '../../daemon/devices-method.ts';

/** Without a daemon, nothing; nor does a kernel have such a list. */
export async function daemonDevices(client: DmClient): Promise<DevicesAnswer> {
  try {
    return (await client.daemon('devices')) as DevicesAnswer;
  } catch (error) {
    if (error instanceof DmError && error.code === 'ENOTSUP') return { devices: [], leaves: [] };
    throw error;
  }
}
