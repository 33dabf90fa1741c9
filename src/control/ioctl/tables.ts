/** TABLE_LOAD and TABLE_CLEAR: the inactive slot. */

import { DmError } from '../../base/errors.ts';
import { Flag } from '../protocol/commands.ts';
import { decodeTable } from '../protocol/target-rows.ts';
import type { IoctlCall } from './call.ts';
import { fillStatus, findDevice } from './devices.ts';

/** DM_MAX_TARGETS */
const MAX_TARGETS = 1 << 20;

export async function loadTable(call: IoctlCall): Promise<void> {
  const { header, input, mapper, directory } = call;
  const { dataStart, targetCount } = header;
  const device = findDevice(call);
  if (targetCount > MAX_TARGETS) {
    throw new DmError(
      'EOVERFLOW',
      `Cannot load table of ${device.name}: expected at most ${MAX_TARGETS} rows, got ${targetCount}`,
    );
  }
  const rows = decodeTable(input, dataStart, targetCount);
  await mapper.load(device, rows, { readOnly: header.has(Flag.readOnly), directory });
  header.put(Flag.inactivePresent, true);
  fillStatus(call, device);
}

export async function clearTable(call: IoctlCall): Promise<void> {
  const device = findDevice(call);
  await device.clear();
  call.header.put(Flag.inactivePresent, false);
  fillStatus(call, device);
}
