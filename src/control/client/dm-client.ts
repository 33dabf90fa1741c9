/** This project's libdevmapper: one typed call for each dm-ioctl, over our control socket or a real kernel's control node. */

import type { DeviceNumber } from '../../core/device.ts';
import type { RowSpec } from '../../core/table.ts';

/** How a request names its device. */
export type DeviceSelector = { name: string } | { uuid: string } | { number: DeviceNumber };

/** The fields of struct dm_ioctl that a reply fills. */
export interface DeviceStatus {
  name: string;
  uuid: string;
  number: DeviceNumber;
  openCount: number;
  targetCount: number;
  eventNumber: number;
  liveTable: boolean;
  inactiveTable: boolean;
  readOnly: boolean;
  suspended: boolean;
  deferredRemove: boolean;
  internalSuspend: boolean;
}

export interface DeviceEntry {
  name: string;
  number: DeviceNumber;
  eventNumber: number;
  /** null: an old kernel that does not tell. */
  uuid: string | null;
}

export interface TableReply {
  device: DeviceStatus;
  /** `params` is the table line's arguments, the status, or the measurement, as asked for. */
  rows: RowSpec[];
}

export interface TargetVersion {
  name: string;
  version: readonly [major: number, minor: number, patch: number];
}

export interface TableQuery {
  kind: 'table' | 'status' | 'measurement';
  inactive?: boolean;
  noflush?: boolean;
  /** Keys are in the reply: buffers are wiped on both sides. */
  secureData?: boolean;
}

export interface SuspendFlags {
  noflush?: boolean;
  skipLockfs?: boolean;
}

/**
 * Every method rejects with `DmError`: `code` is the errno, the message the daemon's reason, or, from a real kernel, the errno's words.
 * One request at a time on a client; calls made meanwhile queue.
 */
export interface DmClient extends AsyncDisposable {
  /** `'devmapper'` over our socket, `'kernel'` over /dev/mapper/control. */
  readonly backend: 'devmapper' | 'kernel';
  version(): Promise<readonly [major: number, minor: number, patch: number]>;
  /** Sorted by name, as the kernel answers. */
  list(): Promise<DeviceEntry[]>;
  create(options: { name: string; uuid?: string; number?: DeviceNumber }): Promise<DeviceStatus>;
  remove(device: DeviceSelector, options?: { deferred?: boolean }): Promise<DeviceStatus>;
  removeAll(options?: { deferred?: boolean }): Promise<void>;
  rename(device: DeviceSelector, name: string): Promise<DeviceStatus>;
  setUuid(device: DeviceSelector, uuid: string): Promise<DeviceStatus>;
  suspend(device: DeviceSelector, flags?: SuspendFlags): Promise<DeviceStatus>;
  resume(device: DeviceSelector, flags?: SuspendFlags): Promise<DeviceStatus>;
  status(device: DeviceSelector, options?: { inactive?: boolean }): Promise<DeviceStatus>;
  /** Resolves when the event counter is above `eventNumber`. */
  wait(
    device: DeviceSelector,
    eventNumber: number,
    options?: TableQuery & { signal?: AbortSignal },
  ): Promise<TableReply>;
  load(
    device: DeviceSelector,
    rows: readonly RowSpec[],
    options?: { readOnly?: boolean; secureData?: boolean },
  ): Promise<DeviceStatus>;
  clear(device: DeviceSelector): Promise<DeviceStatus>;
  dependencies(device: DeviceSelector, options?: { inactive?: boolean }): Promise<DeviceNumber[]>;
  table(device: DeviceSelector, query: TableQuery): Promise<TableReply>;
  /** null: the target had nothing to say. */
  message(device: DeviceSelector, sector: number, text: string): Promise<string | null>;
  setGeometry(
    device: DeviceSelector,
    geometry: { cylinders: number; heads: number; sectors: number; start: number },
  ): Promise<DeviceStatus>;
  targetVersions(): Promise<TargetVersion[]>;
  targetVersion(name: string): Promise<TargetVersion>;
  /** Resolves at the next event of any device after the call. */
  nextEvent(options?: { signal?: AbortSignal }): Promise<void>;
  /** A question to the daemon itself; ENOTSUP from a kernel. */
  daemon(method: string, params?: object): Promise<unknown>;
}
