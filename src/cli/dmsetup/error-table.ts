/** A table that fails every I/O in place of the one a device has: it lets go of what is below, and of whoever waits. */

import { DmError } from '../../base/errors.ts';
import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { ioctlLines, request } from './failure.ts';
import { suspendFlags } from './flags.ts';
import type { DmsetupOptions } from './options.ts';

/** The device keeps its size. */
export async function loadErrorTable(
  client: DmClient,
  device: DeviceSelector,
  options: DmsetupOptions,
): Promise<void> {
  const { length, problems } = await readLength(client, device);
  // Without a length the mapper refuses the row, or has no such device: dmsetup tells of that too.
  const row = { start: 0, length, type: 'error', params: '' };
  await request('reload', device, () => client.load(device, [row]), problems);
  await request('suspend', device, () => client.suspend(device, suspendFlags(options)));
  await request('resume', device, () => client.resume(device));
}

async function readLength(client: DmClient, device: DeviceSelector) {
  try {
    const { rows } = await client.table(device, { kind: 'table' });
    return { length: rows.reduce((sum, row) => sum + row.length, 0), problems: [] };
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    return { length: 0, problems: ioctlLines('table', device, error) };
  }
}
