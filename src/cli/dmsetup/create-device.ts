/** `create` in its three requests — create, reload, resume — and back again if one of them is refused. */

import { DmError } from '../../base/errors.ts';
import type { DmClient } from '../../control/client/dm-client.ts';
import type { DeviceNumber } from '../../core/device.ts';
import type { RowSpec } from '../../core/table.ts';
import { commandFailed, DmsetupFailure, ioctlLines, type NamedDevice, request } from './failure.ts';

export interface NewDevice {
  /** As the device mapper shall have it: mangled. */
  name: string;
  uuid?: string;
  number?: DeviceNumber;
  /** None: a device without a table. */
  rows: readonly RowSpec[];
  readOnly: boolean;
}

export async function createDevice(client: DmClient, device: NewDevice): Promise<void> {
  const { name, rows, readOnly } = device;
  const { rows: _rows, readOnly: _readOnly, ...identity } = device;
  const { number } = await request('create', identity, () => client.create(identity));
  if (rows.length === 0) return;
  const created: NamedDevice = { name, number };
  try {
    // Rows hold keys: they are wiped from buffers on the way.
    await request('reload', created, () =>
      client.load({ name }, rows, { readOnly, secureData: true }),
    );
    await request('resume', created, () => client.resume({ name }));
  } catch (error) {
    await removeAgain(client, created, error);
    throw error;
  }
}

async function removeAgain(client: DmClient, device: NamedDevice, cause: unknown): Promise<void> {
  try {
    await client.remove({ name: device.name ?? '' });
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    const before = cause instanceof DmsetupFailure ? cause.lines.slice(0, -1) : [];
    const lines = [...before, ...ioctlLines('remove', device, error)];
    throw commandFailed([...lines, 'Failed to revert device creation.'], cause);
  }
}
