/** A real kernel's device mapper: ioctl(2) on /dev/mapper/control. Needs root, and koffi. */

import { closeSync, openSync } from 'node:fs';
import { type Clock, sleep, systemClock } from '../../base/clock.ts';
import { errnoWords } from '../../base/errno-words.ts';
import { DmError, Errno, type ErrnoName, errnoName, errnoOf } from '../../base/errors.ts';
import { loadSystem, type System } from '../../system/index.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';
import { IOCTL_BASE } from '../protocol/commands.ts';
import type { ControlReply } from '../protocol/frames.ts';
import { Header, PAYLOAD_START } from '../protocol/header.ts';
import type { IoctlCall, Transport } from './transport.ts';

const CONTROL_NODE = '/dev/mapper/control';
/** How often the descriptor is asked whether an event happened. */
const POLL_MS = 50;

/** Throws DmError: ENOENT without a device mapper in the kernel, EACCES for who may not, ENOTSUP without koffi. */
export function openKernel(path: string = CONTROL_NODE): Transport {
  const system = loadSystem();
  if (system === null) {
    const reason = 'system calls need Linux on x64 or arm64 and the package koffi';
    throw new DmError('ENOTSUP', `Cannot use the kernel's device mapper: ${reason}`);
  }
  return new KernelTransport(system, openControl(path), path);
}

function openControl(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    const code = errnoName(errnoOf(error)) as ErrnoName;
    const reason = `Cannot open ${path}, the kernel's device mapper: ${errnoWords(errnoOf(error))}`;
    throw new DmError(code, reason, { cause: error });
  }
}

class KernelTransport implements Transport {
  readonly backend = 'kernel';
  readonly #system: System;
  readonly #clock: Clock = systemClock;
  readonly #path: string;
  #fd: number | null;

  constructor(system: System, fd: number, path: string) {
    this.#system = system;
    this.#fd = fd;
    this.#path = path;
  }

  async ioctl({ command, buffer }: IoctlCall): Promise<ControlReply> {
    const memory = PinnedBuffer.allocate(Math.max(buffer.byteLength, dataSizeOf(buffer)));
    memory.bytes.set(buffer);
    const result = await this.#system.control.request(this.#open(), IOCTL_BASE + command, memory);
    const errno = result < 0 ? -result : 0;
    // A key that was sent, or that came back, is in the reply's own memory only, and that is the caller's to overwrite.
    return { errno, buffer: memory.bytes, reason: errno === 0 ? '' : errnoWords(errno) };
  }

  #open(): number {
    if (this.#fd === null) throw new DmError('EBADF', `Cannot use ${this.#path}: it was closed`);
    return this.#fd;
  }

  daemon(): Promise<ControlReply> {
    const reason = 'the kernel has no daemon to ask';
    return Promise.resolve({ errno: Errno.ENOTSUP, buffer: new Uint8Array(0), reason });
  }

  async nextEvent(signal?: AbortSignal): Promise<void> {
    while (this.#system.descriptors.waitReadable([this.#open()], 0) === 0) {
      if (signal?.aborted) throw new DmError('EINTR', 'The wait for an event was interrupted');
      await sleep(this.#clock, POLL_MS);
    }
  }

  another(): Promise<Transport> {
    return Promise.resolve(new KernelTransport(this.#system, openControl(this.#path), this.#path));
  }

  close(): Promise<void> {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
    return Promise.resolve();
  }
}

/** The room that the request promises to have. */
function dataSizeOf(buffer: Uint8Array): number {
  return buffer.byteLength < PAYLOAD_START ? PAYLOAD_START : new Header(buffer).dataSize;
}
