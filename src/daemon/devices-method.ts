/** `devices`: every mapped device with what it carries, and every leaf below them. For `devices`, `watch` and `ls --tree`. */

import { formatDeviceNumber } from '../core/device.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import { readAheadSectors } from '../core/read-ahead.ts';
import type { IoCounts } from '../core/statistics.ts';
import type { DaemonMethod } from './methods.ts';

export interface DeviceDetails {
  name: string;
  uuid: string;
  /** `major:minor`, as everywhere here. */
  number: string;
  sizeSectors: number;
  openCount: number;
  suspended: boolean;
  readOnly: boolean;
  deferredRemove: boolean;
  eventNumber: number;
  liveRowCount: number;
  inactiveTable: boolean;
  /** null: it never had a table, so in a kernel there would be no disk yet. */
  readAheadSectors: number | null;
  counters: IoCounts;
  /** Under which NBD clients find it. */
  uris: string[];
  /** Directly below, in the live table. */
  dependencies: string[];
}

export interface LeafDetails {
  number: string;
  /** Path or URI. */
  operand: string;
  sizeSectors: number;
  readOnly: boolean;
  /** How many tables use it. */
  userCount: number;
}

export interface DevicesAnswer {
  devices: DeviceDetails[];
  leaves: LeafDetails[];
}

export const devicesMethod: DaemonMethod = async (_params, { daemon }): Promise<DevicesAnswer> => {
  await daemon.settle();
  const urisOf = (name: string) => daemon.nbd?.uris(name) ?? [];
  return {
    devices: daemon.mapper.engine.list().map((device) => describe(device, urisOf(device.name))),
    leaves: daemon.mapper
      .leaves()
      .map(({ number, ...rest }) => ({ number: formatDeviceNumber(number), ...rest })),
  };
};

function describe(device: MappedDevice, uris: string[]): DeviceDetails {
  const { name, uuid, number, sizeSectors, openCount, suspended, readOnly, live } = device;
  return {
    name,
    uuid,
    number: formatDeviceNumber(number),
    sizeSectors,
    openCount,
    suspended,
    readOnly,
    deferredRemove: device.deferredRemove,
    eventNumber: device.eventNumber,
    liveRowCount: live?.rows.length ?? 0,
    inactiveTable: device.inactive !== null,
    readAheadSectors: readAheadSectors(device),
    counters: device.statistics(),
    uris: live === null ? [] : uris,
    dependencies: (live?.devices ?? []).map((below) => formatDeviceNumber(below.number)),
  };
}
