/** What a mapped device is made with, and the words of its calls. */

import type { Clock } from '../base/clock.ts';
import type { DeviceNumber } from './device.ts';
import type { MappedDevice } from './mapped-device.ts';
import type { IoStatistics } from './statistics.ts';

export interface SuspendOptions {
  /** Bios that targets hand back are queued instead of failed, and nothing waits for a flush. */
  noflush?: boolean;
  /** Gives up waiting for what is under way: everything is as before then, and the call rejects with EINTR. */
  signal?: AbortSignal;
}

/** Hears of every change, at once; the mapper tells its listeners. */
export interface DeviceWatcher {
  changed(device: MappedDevice): void;
  /** A table was swapped or an event raised: what poll on the control node reports. */
  globalEvent(): void;
}

export interface MappedDeviceOptions {
  name: string;
  uuid: string;
  number: DeviceNumber;
  clock: Clock;
  statistics?: IoStatistics;
  watcher?: DeviceWatcher;
}

/** As BIOSes count a disk; for programs that ask (HDIO_GETGEO). `startSectors` is where it begins on the whole disk. */
export interface Geometry {
  cylinders: number;
  heads: number;
  sectors: number;
  startSectors: number;
}
