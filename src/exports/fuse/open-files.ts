/**
 * What programs have open, by the handle that the kernel carries for them. Each open file counts as an opener of its device;
 * O_NOATIME, which no program needs on a device, stands for the O_EXCL that the kernel keeps to itself: a claim, as mount,
 * mkfs and LVM make it. Only one opener has the claim, and nobody while a table stands on the device.
 */

import { DmError, Errno } from '../../base/errors.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { Mapper } from '../../core/mapper.ts';
import { OpenFlag } from '../../protocols/fuse/constants.ts';
import { DeviceIo } from './device-io.ts';

export interface OpenFile {
  readonly device: MappedDevice;
  readonly nodeId: number;
  readonly io: DeviceIo;
  release(): void;
}

export interface OpenFileEvents {
  /** So many reads and writes came here that threads had better do them by themselves. Told again after as many more. */
  busy(device: MappedDevice, nodeId: number): void;
  /** Nobody has it open here any more. */
  closed(device: MappedDevice): void;
  /** Until the function that it answers is called, no thread writes the device by itself. */
  pause(device: MappedDevice): Promise<() => void>;
  /** Resolves when every close that the kernel told of is known here. */
  settle(): Promise<void>;
}

/** Below this, giving threads copies of the stack costs more than it saves: programs that look at a device read a few times. */
const BUSY_TRANSFERS = 8;

/** What the openers of one device share. */
interface OpenDevice {
  io: DeviceIo;
  count: number;
  transferCount: number;
  /** What the kernel was told last. */
  sizeSectors: number;
}

export class OpenFiles {
  readonly #mapper: Mapper;
  readonly #events: OpenFileEvents;
  readonly #files = new Map<number, OpenFile>();
  readonly #devices = new Map<MappedDevice, OpenDevice>();
  #lastHandle = 0;

  constructor(mapper: Mapper, events: OpenFileEvents) {
    this.#mapper = mapper;
    this.#events = events;
  }

  get count(): number {
    return this.#files.size;
  }

  find(handle: number): OpenFile | undefined {
    return this.#files.get(handle);
  }

  /** Answers a handle, or a negative errno. `flags` are those of open(2). */
  async open(device: MappedDevice, nodeId: number, flags: number): Promise<number> {
    const handle = this.#tryOpen(device, nodeId, flags);
    if (handle !== -Errno.EBUSY) return handle;
    // Whoever has it may have closed it: another thread took that request, and it is on its way here.
    await this.#events.settle();
    return this.#tryOpen(device, nodeId, flags);
  }

  #tryOpen(device: MappedDevice, nodeId: number, flags: number): number {
    const isClaim = (flags & OpenFlag.noAccessTime) !== 0;
    const release = this.#openInMapper(device, isClaim);
    if (typeof release === 'number') return release;
    const shared = this.#share(device);
    shared.count += 1;
    this.#lastHandle += 1;
    this.#files.set(this.#lastHandle, { device, nodeId, io: shared.io, release });
    return this.#lastHandle;
  }

  #openInMapper(device: MappedDevice, isClaim: boolean): (() => void) | number {
    const unclaim: (() => void)[] = [];
    try {
      if (isClaim) unclaim.push(this.#mapper.claim(device));
      const { release } = this.#mapper.open(device);
      return () => {
        for (const each of [...unclaim, release]) each();
      };
    } catch (error) {
      for (const each of unclaim) each();
      if (error instanceof DmError) return -error.errno;
      throw error;
    }
  }

  #share(device: MappedDevice): OpenDevice {
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    const shared: OpenDevice = {
      io: new DeviceIo(device, () => this.#events.pause(device)),
      count: 0,
      transferCount: 0,
      sizeSectors: device.sizeSectors,
    };
    this.#devices.set(device, shared);
    return shared;
  }

  /** Whether the device is open and has another size than when that was asked last. */
  noticeResize(device: MappedDevice): boolean {
    const shared = this.#devices.get(device);
    if (shared === undefined || shared.sizeSectors === device.sizeSectors) return false;
    shared.sizeSectors = device.sizeSectors;
    return true;
  }

  /** A read or write is done here, on the main thread. */
  noteTransfer({ device, nodeId }: OpenFile): void {
    const shared = this.#devices.get(device);
    if (shared === undefined) return;
    shared.transferCount += 1;
    if (shared.transferCount % BUSY_TRANSFERS === 0) this.#events.busy(device, nodeId);
  }

  release(handle: number): void {
    const file = this.#files.get(handle);
    if (file === undefined) return;
    this.#files.delete(handle);
    const shared = this.#devices.get(file.device)!;
    shared.count -= 1;
    if (shared.count === 0) {
      this.#devices.delete(file.device);
      this.#events.closed(file.device);
    }
    file.release();
  }

  /** The mount is gone, and with it everybody who had something open. */
  releaseAll(): void {
    for (const handle of [...this.#files.keys()]) this.release(handle);
  }
}
