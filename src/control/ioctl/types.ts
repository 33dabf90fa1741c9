/** What a carrier of dm-ioctls (the control socket, an in-process client) hands in and gets back. */

import type { Mapper } from '../../core/mapper.ts';

export interface ControlContext {
  readonly mapper: Mapper;
  /** Resolves when every close that programs already did is counted in the open counts (FUSE reports them late). */
  settle(): Promise<void>;
}

/** What one opener of the control node has of its own: `createSession` when a connection is opened. */
export interface ControlSession {
  /** The global event number that poll compares with; DEV_ARM_POLL sets it to the present one. */
  armedEventNumber: number;
}

export interface IoctlRequest {
  /** The ioctl's number, `IOCTL_BASE + command`. */
  command: number;
  /**
   * The caller's memory at the ioctl's argument. It may end before the header's `data_size`: the rest counts as room for
   * the answer only. Wiped before `handleIoctl` resolves if the header says SECURE_DATA.
   */
  buffer: Uint8Array;
  /** Relative device paths in a table are relative to it; '' refuses them. */
  directory: string;
  /** Aborted when the caller goes away or is interrupted: DEV_WAIT then ends with EINTR. */
  signal: AbortSignal;
  session: ControlSession;
}

export interface IoctlReply {
  /** 0: done. */
  errno: number;
  /**
   * What to write over the front of the caller's memory, failed or not: after an error only the interface's version;
   * with SECURE_DATA as many bytes as the request had, zeroes behind the answer.
   */
  buffer: Uint8Array;
  /** Why it failed, in words; '' when it did not. */
  reason: string;
}
