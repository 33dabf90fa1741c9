/** How ioctls reach a mapper: our daemon's socket, the kernel's control node, or a mapper in this process. */

import type { ControlReply } from '../protocol/frames.ts';

export interface IoctlCall {
  /** `Command.*`; the transport makes the ioctl number of it. */
  command: number;
  /** Starts with struct dm_ioctl; overwritten when the call has ended. */
  buffer: Uint8Array;
  signal?: AbortSignal;
}

export interface Transport {
  readonly backend: 'devmapper' | 'kernel';
  /** One at a time. Rejects only when the mapper cannot be reached or the signal aborts. */
  ioctl(call: IoctlCall): Promise<ControlReply>;
  /** A JSON request to the daemon. */
  daemon(request: Uint8Array): Promise<ControlReply>;
  /** Resolves at the first event since DEV_ARM_POLL. Rejects with EINTR when the signal aborts. */
  nextEvent(signal?: AbortSignal): Promise<void>;
  /** The same mapper by another way, for a call that may wait for long. */
  another(): Promise<Transport>;
  close(): Promise<void>;
}
