/**
 * What goes over the Unix socket `control`: an ioctl each way, little endian, in any number on one connection, one at a time.
 * docs/control-protocol.md is the description for others; this file is its only implementation for both sides.
 *
 * Request: magic, frame length, ioctl number, flags, length of the directory, length of the buffer, directory, buffer.
 * Reply: magic, frame length, errno (0: done), length of the buffer, length of the reason, buffer, reason.
 *
 * Closing the connection interrupts the request that is under way (DEV_WAIT ends with EINTR in the kernel).
 */

export const FRAME_MAGIC = 0x4d44_4c4f;
export const REQUEST_HEADER_BYTES = 24;
export const REPLY_HEADER_BYTES = 20;
/** The kernel takes up to 2 GiB; nothing that is not an attack needs more than this. */
export const MAX_BUFFER_BYTES = 64 * 1024 * 1024;
export const MAX_DIRECTORY_BYTES = 4096;

/** Instead of an ioctl number: the buffer is JSON, `{"method": string, "params": object}`, for the daemon itself. */
export const DAEMON_REQUEST = 0;

export const RequestFlag = {
  /** The reply shall say in words why the request failed. */
  reason: 1 << 0,
} as const;

export interface ControlRequest {
  /** `IOCTL_BASE + command`, or `DAEMON_REQUEST`. */
  ioctl: number;
  wantsReason: boolean;
  /** Relative device paths in a table are relative to it; '' refuses them. */
  directory: string;
  buffer: Uint8Array;
}

export interface ControlReply {
  errno: number;
  buffer: Uint8Array;
  reason: string;
}
