/** The libc functions behind raw-calls.ts, as koffi prototypes of plain numbers. */

export type Koffi = typeof import('koffi');

/** Takes and gives numbers only; `async` runs on libuv's threads and calls back with (error, result). */
export interface Native {
  (...args: number[]): number;
  async(...args: unknown[]): void;
}

/** `size_t` and `ssize_t` are `uintptr_t` and `intptr_t`; the variadic fcntl and ioctl pass theirs like any other on Linux. */
const prototypes = {
  close: ['int', 'int'],
  shutdown: ['int', 'int', 'int'],
  setrlimit: ['int', 'int', 'uintptr_t'],
  eventfd: ['int', 'uint', 'int'],
  socketpair: ['int', 'int', 'int', 'int', 'uintptr_t'],
  fcntl: ['int', 'int', 'int', 'uintptr_t'],
  flock: ['int', 'int', 'int'],
  ioctl: ['int', 'int', 'ulong', 'uintptr_t'],
  fstatfs: ['int', 'int', 'uintptr_t'],
  setsockopt: ['int', 'int', 'int', 'int', 'uintptr_t', 'uint'],
  getsockopt: ['int', 'int', 'int', 'int', 'uintptr_t', 'uintptr_t'],
  read: ['intptr_t', 'int', 'uintptr_t', 'uintptr_t'],
  write: ['intptr_t', 'int', 'uintptr_t', 'uintptr_t'],
  writev: ['intptr_t', 'int', 'uintptr_t', 'int'],
  recv: ['intptr_t', 'int', 'uintptr_t', 'uintptr_t', 'int'],
  send: ['intptr_t', 'int', 'uintptr_t', 'uintptr_t', 'int'],
  sendmsg: ['intptr_t', 'int', 'uintptr_t', 'int'],
  recvmsg: ['intptr_t', 'int', 'uintptr_t', 'int'],
  sendfile: ['intptr_t', 'int', 'int', 'uintptr_t', 'uintptr_t'],
  poll: ['int', 'uintptr_t', 'ulong', 'int'],
  pread: ['intptr_t', 'int', 'uintptr_t', 'uintptr_t', 'int64'],
  pwrite: ['intptr_t', 'int', 'uintptr_t', 'uintptr_t', 'int64'],
  preadv2: ['intptr_t', 'int', 'uintptr_t', 'int', 'int64', 'int'],
  pwritev2: ['intptr_t', 'int', 'uintptr_t', 'int', 'int64', 'int'],
  fdatasync: ['int', 'int'],
  fallocate: ['int', 'int', 'int', 'int64', 'int64'],
  lseek: ['int64', 'int', 'int64', 'int'],
} as const;

export type Natives = Record<keyof typeof prototypes, Native>;

/** Throws where the C library lacks one of them (preadv2 needs glibc 2.26 or musl 1.2.5). */
export function declareNatives(koffi: Koffi): Natives {
  const libc = koffi.load(null);
  const natives: Partial<Natives> = {};
  for (const [name, [result, ...args]] of Object.entries(prototypes)) {
    natives[name as keyof Natives] = libc.func(name, result, args) as Native;
  }
  return natives as Natives;
}
