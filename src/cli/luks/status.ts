/** Exit statuses, which are cryptsetup's, and which of them an error means. */

import { DmError, type ErrnoName } from '../../base/errors.ts';
import { CommandError } from '../failure.ts';

export const WRONG_PARAMETERS = 1;
export const BAD_PASSPHRASE = 2;
export const OUT_OF_MEMORY = 3;
export const WRONG_DEVICE = 4;
export const BUSY = 5;
/** As a shell has it after Ctrl-C. */
export const INTERRUPTED = 130;

const BY_ERRNO: Readonly<Partial<Record<ErrnoName, number>>> = {
  EPERM: BAD_PASSPHRASE,
  ENOMEM: OUT_OF_MEMORY,
  ENODEV: WRONG_DEVICE,
  ENOTBLK: WRONG_DEVICE,
  EBUSY: BUSY,
  EAGAIN: BUSY,
  EEXIST: BUSY,
};

export function statusOf(error: unknown): number {
  return (error instanceof DmError ? BY_ERRNO[error.code] : undefined) ?? WRONG_PARAMETERS;
}

/** An error of the layers below as the end of a command; anything unexpected stays as it is. */
export function luksFailure(error: unknown): unknown {
  if (error instanceof CommandError) return error;
  const isExpected =
    error instanceof DmError || (error instanceof Error && error.name === 'FormatError');
  if (!isExpected) return error;
  return new CommandError(error.message, { status: statusOf(error), cause: error });
}
