/**
 * Numbers of the kernel's FUSE protocol, version 7 (the UAPI header linux/fuse.h). Little endian: the machines that
 * src/system knows are.
 */

export const MAJOR_VERSION = 7;
/** What is spoken here; a younger kernel comes down to it. 7.36 brought `InitFlag2.directIoAllowMmap`. */
export const MINOR_VERSION = 36;
/** Before 7.28 (Linux 4.20) requests have at most 128 KiB and there is no copy_file_range. */
export const OLDEST_MINOR_VERSION = 28;

/** The node that the mount point itself is. */
export const ROOT_NODE_ID = 1;

/** Largest read or write: 256 pages, the kernel's usual limit. */
export const MAX_IO_BYTES = 1024 * 1024;
export const MAX_IO_PAGES = 256;

export const REQUEST_HEADER_BYTES = 40;
export const REPLY_HEADER_BYTES = 16;
/** Of `read` and `write`, behind the header; a write's data follows. */
export const IO_BODY_BYTES = 40;
/** The kernel refuses to hand out a request into less than the largest one needs. */
export const REQUEST_BUFFER_BYTES = MAX_IO_BYTES + 4096;
export const MAX_NAME_BYTES = 255;

export const Opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  ioctl: 39,
  poll: 40,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  lseek: 46,
  copyFileRange: 47,
} as const;

/** Bits of `flags` in INIT. */
export const InitFlag = {
  asyncRead: 1 << 0,
  bigWrites: 1 << 5,
  readdirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  asyncDirectIo: 1 << 15,
  parallelDirectoryOperations: 1 << 18,
  maxPages: 1 << 22,
  /** The second word of flags counts. */
  extended: 1 << 30,
} as const;

/** Bits of `flags2` in INIT. */
export const InitFlag2 = {
  directIoAllowMmap: 1 << 4,
} as const;

/** Bits of `open_flags` in the answer to OPEN. */
export const OpenReplyFlag = {
  /** Nothing is cached: every read and write comes here, at the program's own sizes. */
  directIo: 1 << 0,
  parallelDirectWrites: 1 << 6,
} as const;

/** Bits of `flags` in OPEN and WRITE: those of open(2), which x86-64 and arm64 number alike but for O_DIRECT. */
export const OpenFlag = {
  accessMode: 0o3,
  readOnly: 0,
  dataSync: 0o10000,
  noAccessTime: 0o1000000,
} as const;

/** Bits of `valid` in SETATTR. */
export const SetAttribute = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  /** It comes from a descriptor (ftruncate), not from a path or an open with O_TRUNC. */
  handle: 1 << 6,
} as const;

/** Bits of `mode` in FALLOCATE, as fallocate(2) has them. */
export const AllocateFlag = {
  keepSize: 0x01,
  punchHole: 0x02,
  zeroRange: 0x10,
} as const;

/** `whence` of LSEEK: only these two are asked. */
export const Whence = { data: 3, hole: 4 } as const;

export const FileType = { directory: 0o040000, regular: 0o100000 } as const;
