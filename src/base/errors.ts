/**
 * Errors: three kinds and no others.
 *
 * - `DmError`: what people get wrong and what state a device is in; carries an errno, as the kernel's answer would.
 * - `FormatError`: bytes on a disk or on a wire that are not what the format says.
 * - `AssertionError` (see assert.ts): our own bugs.
 */

/** Linux errno numbers, by name. They go over the wire (dm-ioctl) and into `Bio.error`; other systems number theirs otherwise. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  ENOTBLK: 15,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EPIPE: 32,
  ERANGE: 34,
  ENOSYS: 38,
  ENODATA: 61,
  ENOLINK: 67,
  EPROTO: 71,
  EOVERFLOW: 75,
  EILSEQ: 84,
  ENOTSUP: 95,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  ECONNRESET: 104,
  ENOTCONN: 107,
  ESHUTDOWN: 108,
  ESTALE: 116,
  EDQUOT: 122,
  ECANCELED: 125,
  ENOKEY: 126,
} as const;

export type ErrnoName = keyof typeof Errno;

const nameByNumber = new Map<number, ErrnoName>(
  Object.entries(Errno).map(([name, number]) => [number, name as ErrnoName]),
);

/** `5` -> `'EIO'`; a number without a name here reads `errno 999`. */
export function errnoName(errno: number): string {
  return nameByNumber.get(errno) ?? `errno ${errno}`;
}

/** The Linux number behind an exception of Node's (`code: 'ENOSPC'`) or of ours; anything unknown is an I/O error. */
export function errnoOf(error: unknown): number {
  if (error instanceof DmError) return Errno[error.code];
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && code in Errno) return Errno[code as ErrnoName];
  return Errno.EIO;
}

/** A person's mistake or a device's state. `code` is what the kernel would answer, `message` the reason it keeps in dmesg. */
export class DmError extends Error {
  override readonly name = 'DmError';
  readonly code: ErrnoName;

  constructor(code: ErrnoName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get errno(): number {
    return Errno[this.code];
  }
}

/** Where in which format the bytes differ from what they must be. */
export interface FormatProblem {
  /** e.g. `'NBD request'`, `'snapshot header'` */
  format: string;
  /** e.g. `'magic'` */
  field: string;
  /** from the start of the structure */
  offsetBytes: number;
  expected: string;
  got: string;
}

/** Bytes that are not what their format says: names format, field, offset, what was expected and what is there. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly problem: FormatProblem;

  constructor(problem: FormatProblem, options?: ErrorOptions) {
    const { format, field, offsetBytes, expected, got } = problem;
    super(
      `Cannot read ${format}: ${field} at byte ${offsetBytes}: expected ${expected}, got ${got}`,
      options,
    );
    this.problem = problem;
  }
}
