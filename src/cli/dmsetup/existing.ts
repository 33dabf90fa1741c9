/** Queries for which dmsetup first looks whether the device is there, and then has other words than "ioctl failed". */

import { DmError } from '../../base/errors.ts';
import type {
  DeviceSelector,
  DmClient,
  TableQuery,
  TableReply,
} from '../../control/client/dm-client.ts';
import { commandFailed, ioctlLines, reasonLine } from './failure.ts';

export async function readOfExisting(
  task: string,
  client: DmClient,
  device: DeviceSelector,
  query: TableQuery,
): Promise<TableReply> {
  try {
    return await client.table(device, query);
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    if (error.code !== 'ENXIO') throw commandFailed(ioctlLines(task, device, error), error);
    throw commandFailed(['Device does not exist.', reasonLine(error.message)], error);
  }
}
