/**
 * Locks on an image, byte for byte as qemu's file driver takes them, so that qemu and we see each other.
 *
 * Of five permissions, numbered below, an opener locks byte 100 + n for each it uses and byte 200 + n for each it does not let
 * others use, all of them shared; then it tests for each it uses whether anyone holds 200 + n, and for each it forbids
 * whether anyone holds 100 + n. We use reading, and writing where the image is writable, and forbid others to write
 * or resize: any number of readers, or one writer. qemu-nbd alone forbids less (two of it may write one raw image),
 * but it uses the same bytes, so it refuses an image that we have, and we one that it writes.
 *
 * Seen in /proc/locks with qemu 7.2: a writable qemu-nbd holds 100, 101 and 203, a read-only one 100 and 203.
 */

import { DmError, Errno } from '../base/errors.ts';
import type { LockCalls, LockRange } from '../system/lock-calls.ts';

const USED_BASE = 100;
const FORBIDDEN_BASE = 200;
const Permission = { consistentRead: 0, write: 1, writeUnchanged: 2, resize: 3 } as const;

/** Who has an image open holds these: any reader the first one, a writer both. */
export const LockByte = {
  reader: USED_BASE + Permission.consistentRead,
  writer: USED_BASE + Permission.write,
} as const;

const FORBIDDEN = [Permission.write, Permission.resize];

export interface ImageLockOptions {
  fd: number;
  path: string;
  writable: boolean;
}

/** Throws EBUSY when another open of the file is in the way; nothing is locked then. */
export function lockImage(locks: LockCalls, options: ImageLockOptions): void {
  // Reading, and writing behind it: neighbours are one lock and one question.
  const usedCount = options.writable ? 2 : 1;
  const mine = [
    bytes(USED_BASE, usedCount),
    ...FORBIDDEN.map((each) => bytes(FORBIDDEN_BASE + each)),
  ];
  const conflicting = [
    bytes(FORBIDDEN_BASE, usedCount),
    ...FORBIDDEN.map((each) => bytes(USED_BASE + each)),
  ];
  for (const range of mine) {
    const result = locks.lockRange(options.fd, { ...range, exclusive: false });
    if (result === -Errno.EAGAIN || result === -Errno.EACCES) throw refuse(locks, options);
    // Anything else: a file system without locks. qemu goes on without them too.
    if (result < 0) return;
  }
  const inTheWay = (range: LockRange) =>
    locks.testRange(options.fd, { ...range, exclusive: true }) > 0;
  if (conflicting.some(inTheWay)) throw refuse(locks, options);
}

function bytes(startBytes: number, lengthBytes = 1): LockRange {
  return { startBytes, lengthBytes };
}

/** At once, however long closing the file may take. */
export function unlockImage(locks: LockCalls, fd: number): void {
  const lengthBytes = FORBIDDEN_BASE - USED_BASE + Permission.resize + 1;
  locks.unlockRange(fd, { startBytes: USED_BASE, lengthBytes });
}

function refuse(locks: LockCalls, { fd, path, writable }: ImageLockOptions): DmError {
  unlockImage(locks, fd);
  const purpose = writable ? 'writing' : 'reading';
  return new DmError(
    'EBUSY',
    `Cannot lock "${path}" for ${purpose}: another program holds it (qemu, or another devmapper)`,
  );
}
