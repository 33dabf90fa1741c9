/** From errno to the few numbers that NBD carries. */

import { Errno } from '../../base/errors.ts';
import { CommandFlag, NbdError } from '../../protocols/nbd/constants.ts';

const byErrno = new Map<number, number>([
  [Errno.EPERM, NbdError.EPERM],
  [Errno.EACCES, NbdError.EPERM],
  [Errno.EROFS, NbdError.EPERM],
  [Errno.ENOMEM, NbdError.ENOMEM],
  [Errno.EINVAL, NbdError.EINVAL],
  [Errno.ENOSPC, NbdError.ENOSPC],
  [Errno.EDQUOT, NbdError.ENOSPC],
  [Errno.EFBIG, NbdError.ENOSPC],
  [Errno.ESHUTDOWN, NbdError.ESHUTDOWN],
]);

/** The wire's number for what a device answered; `requestFlags` are those of the request it answered. */
export function nbdErrorOf(errno: number, requestFlags: number): number {
  // ENOTSUP means "no faster than writing" to a client, so it is kept for those who asked.
  const fastZero = (requestFlags & CommandFlag.fastZero) !== 0;
  if (errno === Errno.ENOTSUP && fastZero) return NbdError.ENOTSUP;
  return byErrno.get(errno) ?? NbdError.EIO;
}
