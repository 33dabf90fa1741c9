/**
 * What formats read and write headers through: bytes at offsets, asynchronous, opened by the caller (file, block node, mapped device, memory, simulated disk with crashes).
 */

export interface ByteDisk {
  /** For messages. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** The smallest unit that is written whole or not at all: 512 or 4096. */
  readonly sectorBytes: number;
  /** Exactly `lengthBytes` bytes, in memory of the caller's own. Throws DmError EIO, also for a range behind the end. */
  read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array>;
  /** Done when it resolves, durable after `flush`. Throws DmError EIO, EROFS, ENOSPC. */
  write(offsetBytes: number, bytes: Uint8Array): Promise<void>;
  flush(): Promise<void>;
}
