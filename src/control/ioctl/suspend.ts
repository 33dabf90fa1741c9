/** DEV_SUSPEND: with the flag SUSPEND it suspends, without it resumes. SKIP_LOCKFS says nothing here: no file system is ours. */

import { Flag } from '../protocol/commands.ts';
import type { IoctlCall } from './call.ts';
import { fillStatus, findDevice } from './devices.ts';

export async function suspendDevice(call: IoctlCall): Promise<void> {
  const { header, signal } = call;
  const isSuspend = header.has(Flag.suspend);
  const device = findDevice(call);
  const options = { noflush: header.has(Flag.noflush), signal };
  if (isSuspend) {
    await device.suspend(options);
  } else {
    // The inactive table is taken either way: it becomes live or is dropped.
    header.put(Flag.inactivePresent, false);
    await device.resume(options);
  }
  fillStatus(call, device);
}
