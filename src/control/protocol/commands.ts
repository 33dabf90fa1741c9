/** Numbers of the dm-ioctl interface, version 4.50 (include/uapi/linux/dm-ioctl.h). */

/** What replies say; a client's major number must be equal and its minor number not above. */
export const INTERFACE_VERSION = [4, 50, 0] as const;

export const Command = {
  version: 0,
  removeAll: 1,
  listDevices: 2,
  deviceCreate: 3,
  deviceRemove: 4,
  deviceRename: 5,
  deviceSuspend: 6,
  deviceStatus: 7,
  deviceWait: 8,
  tableLoad: 9,
  tableClear: 10,
  tableDeps: 11,
  tableStatus: 12,
  listVersions: 13,
  targetMessage: 14,
  deviceSetGeometry: 15,
  deviceArmPoll: 16,
  targetVersion: 17,
} as const;

export type CommandNumber = (typeof Command)[keyof typeof Command];

/** `_IOWR(0xfd, command, struct dm_ioctl)`; the size in it is that of the header, however much data follows. */
export const IOCTL_BASE = 0xc138fd00;

export const Flag = {
  readOnly: 1 << 0,
  suspend: 1 << 1,
  /** Never set by the kernel any more; libdevmapper sends it always. */
  exists: 1 << 2,
  persistentDev: 1 << 3,
  statusTable: 1 << 4,
  activePresent: 1 << 5,
  inactivePresent: 1 << 6,
  bufferFull: 1 << 8,
  skipBdget: 1 << 9,
  skipLockfs: 1 << 10,
  noflush: 1 << 11,
  queryInactiveTable: 1 << 12,
  ueventGenerated: 1 << 13,
  uuid: 1 << 14,
  secureData: 1 << 15,
  dataOut: 1 << 16,
  deferredRemove: 1 << 17,
  internalSuspend: 1 << 18,
  imaMeasurement: 1 << 19,
} as const;

/** Sizes of fields count the final NUL. */
export const NAME_BYTES = 128;
export const UUID_BYTES = 129;
export const TYPE_BYTES = 16;
