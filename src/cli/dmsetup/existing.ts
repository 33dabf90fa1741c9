/** Queries for which dmsetup first looks whether the device is there, and then has other words than "ioctl failed". */

import { DmError } from '../../base/errors.ts';
import type {
  DeviceSelector,
  DmClient,
  TableQuery,
  TableReply,
} from '../../control/client/dm-client.ts';
import { commandFailed, ioctlLines, type NamedDevice, reasonLine } from './failure.ts';

export function readOfExisting(
  task: string,
  client: DmClient,
  device: DeviceSelector,
  query: TableQuery,
): Promise<TableReply> {
  return readExisting(() => client.table(device, query), { task, device });
}

/** Without `task` it is the look itself. */
export async function readExisting<T>(
  read: () => Promise<T>,
  { task = 'info', device = {} }: { task?: string; device?: NamedDevice } = {},
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    if (error.code !== 'ENXIO') throw commandFailed(ioctlLines(task, device, error), error);
    throw commandFailed(['Device does not exist.', reasonLine(error.message)], error);
  }
}
