/** What the header of a reply says, as the client gives it out; and how a request names its device. */

import { DmError, type ErrnoName, errnoName } from '../../base/errors.ts';
import { Flag } from '../protocol/commands.ts';
import type { ControlReply } from '../protocol/frames.ts';
import type { Header } from '../protocol/header.ts';
import type { RequestFields } from '../protocol/messages.ts';
import type { DeviceSelector, DeviceStatus, TableQuery } from './dm-client.ts';

export function deviceStatus(header: Header): DeviceStatus {
  return {
    name: header.name,
    uuid: header.uuid,
    number: header.number,
    openCount: header.openCount,
    targetCount: header.targetCount,
    eventNumber: header.eventNumber,
    liveTable: header.has(Flag.activePresent),
    inactiveTable: header.has(Flag.inactivePresent),
    readOnly: header.has(Flag.readOnly),
    suspended: header.has(Flag.suspend),
    deferredRemove: header.has(Flag.deferredRemove),
    internalSuspend: header.has(Flag.internalSuspend),
  };
}

export function selectDevice(
  device: DeviceSelector,
): Pick<RequestFields, 'name' | 'uuid' | 'number'> {
  if ('name' in device) return { name: device.name };
  return 'uuid' in device ? { uuid: device.uuid } : { number: device.number };
}

/** The flags that are on. */
export function flagsOf(
  flags: readonly (readonly [flag: number, on: boolean | undefined])[],
): number {
  return flags.reduce((all, [flag, on]) => (on ? all | flag : all), 0);
}

export function queryFlags({ kind, inactive, noflush, secureData }: TableQuery): number {
  return flagsOf([
    [Flag.statusTable, kind === 'table'],
    [Flag.imaMeasurement, kind === 'measurement'],
    [Flag.queryInactiveTable, inactive],
    [Flag.noflush, noflush],
    [Flag.secureData, secureData],
  ]);
}

/** An errno without a name here counts as an I/O error. */
export function replyError({ errno, reason }: ControlReply): DmError {
  const name = errnoName(errno);
  const code = name.startsWith('E') ? (name as ErrnoName) : 'EIO';
  return new DmError(code, reason === '' ? name : reason);
}
