/** DEV_CREATE, DEV_REMOVE, REMOVE_ALL. */

import { DmError } from '../../base/errors.ts';
import { Flag } from '../protocol/commands.ts';
import type { IoctlCall } from './call.ts';
import { fillStatus, findDevice } from './devices.ts';

/** With PERSISTENT_DEV the minor number of `dev` is asked for; its major number is not looked at. */
export function createDevice(call: IoctlCall): void {
  const { header, mapper } = call;
  if (!header.hasName) throw new DmError('EINVAL', 'name not supplied when creating device');
  const { name, uuid, number } = header;
  const isNumbered = header.has(Flag.persistentDev);
  const device = mapper.create({ name, uuid, ...(isNumbered && { minor: number.minor }) });
  header.put(Flag.inactivePresent, false);
  fillStatus(call, device);
}

/** With DEFERRED_REMOVE a device that is open goes with its last opener; the flag stays in the reply then. */
export async function removeDevice(call: IoctlCall): Promise<void> {
  const { header, mapper } = call;
  const device = findDevice(call);
  const isRemoved = await mapper.remove(device, { deferred: header.has(Flag.deferredRemove) });
  if (isRemoved) header.put(Flag.deferredRemove, false);
}

/** Leaves open devices alone, or with DEFERRED_REMOVE marks them. */
export async function removeAllDevices(call: IoctlCall): Promise<void> {
  await call.mapper.removeAll({ deferred: call.header.has(Flag.deferredRemove) });
  call.answerNothing();
}
