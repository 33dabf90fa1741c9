/**
 * What /sys/devices/virtual/block/dm-N says of a mapped device: relative path and text of each file (Linux 6.12).
 * Programs read sizes and queue limits there (lsblk, libblkid, lvm), and who stands on whom.
 */

import { sectorsToBytes } from '../../base/units.ts';
import type { Limits } from '../../core/limits.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { readAheadSectors } from '../../core/read-ahead.ts';

const KIB_SECTORS = 2;
/** What the kernel gives a device whose members set no bound. */
const MAX_REQUEST_KIB = 1280;
/** Of a request without data: the most whole sectors that 32 bits count the bytes of. */
const MAX_RANGE_BYTES = 4_294_966_784;

/** By path below the device's folder. Few, because each costs a file; what a program may write is in `deviceSettings`. */
export function deviceAttributes(device: MappedDevice): Map<string, string> {
  return lines({ ...identity(device), ...flags(device), ...mapped(device) });
}

/** What `queue` of every device with the same limits and read-ahead holds, and a name for it. */
export function queueAttributes(device: MappedDevice): {
  key: string;
  texts: Map<string, string>;
} {
  const values = queue(device.limits);
  const readAhead = readAheadKib(device);
  return {
    key: [...Object.values(device.limits), readAhead].join('-'),
    texts: lines({ ...values, read_ahead_kb: readAhead }),
  };
}

function lines(values: Record<string, string | number>): Map<string, string> {
  return new Map(Object.entries(values).map(([path, value]) => [path, `${value}\n`]));
}

/** Written when the daemon's value changes: in between they belong to the programs that write them. */
export function deviceSettings(device: MappedDevice): Map<string, string> {
  return lines({ 'bdi/read_ahead_kb': readAheadKib(device) });
}

function readAheadKib(device: MappedDevice): number {
  return (readAheadSectors(device) ?? 0) / KIB_SECTORS;
}

function identity({ number: { major, minor } }: MappedDevice): Record<string, string | number> {
  const sequence = minor + 1;
  const uevent = [
    `MAJOR=${major}`,
    `MINOR=${minor}`,
    `DEVNAME=dm-${minor}`,
    'DEVTYPE=disk',
    `DISKSEQ=${sequence}`,
  ];
  return { dev: `${major}:${minor}`, uevent: uevent.join('\n') };
}

function flags(device: MappedDevice): Record<string, string | number> {
  return {
    size: device.sizeSectors,
    ro: device.readOnly ? 1 : 0,
    removable: 0,
    hidden: 0,
    ext_range: 1,
    alignment_offset: 0,
    stat: new Array(17).fill('       0').join(' '),
  };
}

function mapped(device: MappedDevice): Record<string, string | number> {
  return {
    'dm/name': device.name,
    'dm/uuid': device.uuid,
    'dm/suspended': device.suspended ? 1 : 0,
  };
}

function maxDiscardBytesOf({ maxDiscardSectors }: Limits): number {
  return maxDiscardSectors === undefined ? MAX_RANGE_BYTES : sectorsToBytes(maxDiscardSectors);
}

function queue(limits: Limits): Record<string, string | number> {
  const granularity = limits.discardGranularityBytes;
  const maxDiscardBytes = granularity === 0 ? 0 : maxDiscardBytesOf(limits);
  const maxKib = Math.min(limits.maxIoSectors / KIB_SECTORS, MAX_REQUEST_KIB);
  return {
    logical_block_size: limits.logicalBlockBytes,
    hw_sector_size: limits.logicalBlockBytes,
    physical_block_size: limits.physicalBlockBytes,
    minimum_io_size: limits.ioMinBytes,
    optimal_io_size: limits.ioOptBytes,
    max_sectors_kb: maxKib,
    max_hw_sectors_kb: maxKib,
    max_segments: 128,
    max_segment_size: 65536,
    chunk_sectors: 0,
    discard_granularity: granularity,
    discard_max_bytes: maxDiscardBytes,
    discard_max_hw_bytes: maxDiscardBytes,
    discard_zeroes_data: 0,
    write_zeroes_max_bytes: MAX_RANGE_BYTES,
    write_same_max_bytes: 0,
    rotational: 0,
    nr_zones: 0,
    zoned: 'none',
    dax: 0,
    fua: 0,
    write_cache: 'write back',
    iostats: 1,
    nomerges: 0,
    add_random: 0,
    io_poll: 0,
    stable_writes: 0,
    virt_boundary_mask: 0,
    dma_alignment: 511,
    io_poll_delay: -1,
    max_discard_segments: 1,
    max_integrity_segments: 0,
    zone_append_max_bytes: 0,
    zone_write_granularity: 0,
  };
}
