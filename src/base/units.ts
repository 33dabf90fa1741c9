/** Units of the block layer. A sector has 512 bytes, always, whatever block size a device has. */

export const SECTOR_BYTES = 512;

/** The kernel's own ceiling, LLONG_MAX >> 9; beyond 2^53 - 1 sectors a number is no longer exact, so we stop there. */
export const MAX_SECTORS = Number.MAX_SAFE_INTEGER / SECTOR_BYTES;

export function sectorsToBytes(sectors: number): number {
  return sectors * SECTOR_BYTES;
}

/** Whole sectors in `bytes`; a partial last sector does not count, as with loop devices. */
export function bytesToSectors(bytes: number): number {
  return Math.floor(bytes / SECTOR_BYTES);
}

/** `1536` -> `'1.5 KiB'`; for people, never for machines. */
export function formatBytes(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let index = 0;
  let value = bytes;
  while (value >= 1024 && index < names.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${names[index]}`;
}
