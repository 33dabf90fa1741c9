/** How a request names its device, and what the header of a reply says about one. */

import { DmError } from '../../base/errors.ts';
import { formatDeviceNumber } from '../../core/device.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { Table } from '../../core/table.ts';
import { Flag } from '../protocol/commands.ts';
import type { IoctlCall } from './call.ts';

/** By name, uuid or number, just one of them; ENXIO for anything else. Name and uuid are put into the reply. */
export function findDevice(call: IoctlCall): MappedDevice {
  const device = lookUp(call);
  const { header } = call;
  header.name = device.name;
  header.uuid = device.uuid;
  header.put(Flag.inactivePresent, device.inactive !== null);
  return device;
}

function lookUp({ header, mapper }: IoctlCall): MappedDevice {
  if (header.hasUuid) {
    if (header.hasDevice) throw ambiguous('a uuid and a number');
    return mapper.findUuid(header.uuid) ?? missing(`with the uuid "${header.uuid}"`);
  }
  if (header.hasName) {
    if (header.hasDevice) throw ambiguous('a name and a number');
    return mapper.find(header.name) ?? missing(`named "${header.name}"`);
  }
  if (!header.hasDevice) throw new DmError('ENXIO', 'The request names no device');
  const { number } = header;
  return mapper.findNumber(number) ?? missing(`of number ${formatDeviceNumber(number)}`);
}

function ambiguous(what: string): DmError {
  return new DmError('ENXIO', `The request names its device by ${what}, expected just one`);
}

function missing(what: string): never {
  throw new DmError('ENXIO', `No device ${what} exists`);
}

/** __dev_status: what nearly every reply says. */
export function fillStatus({ header }: IoctlCall, device: MappedDevice): void {
  const isInactive = header.has(Flag.queryInactiveTable);
  const table = isInactive ? device.inactive : device.live;
  header.put(Flag.suspend, device.suspended);
  header.put(Flag.internalSuspend, false);
  if (device.deferredRemove) header.put(Flag.deferredRemove, true);
  header.put(Flag.activePresent, device.live !== null);
  header.put(Flag.readOnly, table?.readOnly ?? false);
  header.number = device.number;
  header.openCount = device.openCount;
  header.eventNumber = device.eventNumber;
  header.targetCount = table?.rows.length ?? 0;
}

/** The table that the request asks about. */
export function askedTable({ header }: IoctlCall, device: MappedDevice): Table | null {
  return header.has(Flag.queryInactiveTable) ? device.inactive : device.live;
}
