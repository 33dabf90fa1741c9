/** Devices that `luks open` made, found by name. */

import { basename } from 'node:path';
import { DmError } from '../../base/errors.ts';
import type { DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import { mangledName } from '../dmsetup/device-argument.ts';
import { CommandError } from '../failure.ts';
import { WRONG_DEVICE, WRONG_PARAMETERS } from './status.ts';

/** null: no device has that name. A path such as /dev/mapper/NAME will do. Throws CommandError for a device that is not encrypted. */
export async function lookUpCryptDevice(
  client: DmClient,
  name: string,
): Promise<DeviceStatus | null> {
  try {
    const device = await client.status({ name: mangledName(basename(name), {}) });
    if (device.uuid.startsWith('CRYPT-')) return device;
  } catch (error) {
    if (error instanceof DmError && error.code === 'ENXIO') return null;
    throw error;
  }
  throw new CommandError(`Device ${name} is not an encrypted device.`, {
    status: WRONG_PARAMETERS,
    details: [`devmapper table ${name} and devmapper remove ${name} are for all devices`],
  });
}

/** Throws CommandError, status 4. */
export async function findCryptDevice(client: DmClient, name: string): Promise<DeviceStatus> {
  const device = await lookUpCryptDevice(client, name);
  if (device !== null) return device;
  throw new CommandError(`Device ${name} is not active.`, {
    status: WRONG_DEVICE,
    details: ['devmapper ls lists the devices'],
  });
}
