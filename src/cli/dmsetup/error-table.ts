/** A table that fails every I/O in place of the one a device has: it lets go of what is below, and of whoever waits. */

import { DmError } from '../../base/errors.ts';
import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { request } from './failure.ts';
import { suspendFlags } from './flags.ts';
import type { DmsetupOptions } from './options.ts';

/** The device keeps its size. */
export async function loadErrorTable(
  client: DmClient,
  device: DeviceSelector,
  options: DmsetupOptions,
): Promise<void> {
  const { rows } = await request('table', device, () => client.table(device, { kind: 'table' }));
  const length = rows.reduce((sum, row) => sum + row.length, 0);
  await request('reload', device, () => {
    if (length === 0) throw new DmError('EINVAL', 'It has no live table to take the place of');
    return client.load(device, [{ start: 0, length, type: 'error', params: '' }]);
  });
  await request('suspend', device, () => client.suspend(device, suspendFlags(options)));
  await request('resume', device, () => client.resume(device));
}
