/** `create` in its three requests — create, reload, resume — and back again if one of them is refused. */

import { DmError } from '../../base/errors.ts';
import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import type { DeviceNumber } from '../../core/device.ts';
import type { RowSpec } from '../../core/table.ts';
import { commandFailed, DmsetupFailure, ioctlLines, type NamedDevice, request } from './failure.ts';
import { setReadAhead } from './read-ahead.ts';

export interface NewDevice {
  /** As the device mapper shall have it: mangled. */
  name: string;
  uuid?: string;
  number?: DeviceNumber;
  /** Requests behind the first go by `number`, as dmsetup's do: a major number that is not ours finds nothing then. */
  goesByNumber?: boolean;
  /** None: a device without a table. */
  rows: readonly RowSpec[];
  readOnly: boolean;
  /** As --readahead says. */
  readAhead?: string | undefined;
}

export async function createDevice(client: DmClient, device: NewDevice): Promise<void> {
  const { name, uuid, number: wanted, rows, readOnly } = device;
  const identity = { name, ...(uuid !== undefined && { uuid }), ...(wanted && { number: wanted }) };
  const { number } = await request('create', identity, () => client.create(identity));
  if (rows.length === 0) return;
  const byNumber = device.goesByNumber ? wanted : undefined;
  const created: NamedDevice = { name, number: byNumber ?? number };
  const selector: DeviceSelector = byNumber ? { number: byNumber } : { name };
  try {
    // Rows hold keys: they are wiped from buffers on the way.
    await request('reload', created, () =>
      client.load({ name }, rows, { readOnly, secureData: true }),
    );
    await request('resume', created, () => client.resume(selector));
  } catch (error) {
    await removeAgain(client, { selector, created }, error);
    throw error;
  }
  await setReadAhead(client, number, device.readAhead);
}

async function removeAgain(
  client: DmClient,
  { selector, created }: { selector: DeviceSelector; created: NamedDevice },
  cause: unknown,
): Promise<void> {
  try {
    await client.remove(selector);
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    const before = cause instanceof DmsetupFailure ? cause.lines.slice(0, -1) : [];
    const lines = [...before, ...ioctlLines('remove', created, error)];
    throw commandFailed([...lines, 'Failed to revert device creation.'], cause);
  }
}
