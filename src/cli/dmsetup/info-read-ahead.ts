/** How far the kernel reads ahead on a device. Ours leaves that to whoever reads; it shows what the kernel begins with. */

import { readFileSync } from 'node:fs';
import type { DeviceStatus, DmClient } from '../../control/client/dm-client.ts';

const DEFAULT_SECTORS = 256;
const SECTORS_PER_KIB = 2;

/** null: a device that never had a table is no block device yet. */
export function readAheadSectors(
  { backend }: DmClient,
  { number, liveTable, inactiveTable }: DeviceStatus,
): number | null {
  if (backend === 'devmapper') return liveTable || inactiveTable ? DEFAULT_SECTORS : null;
  try {
    const path = `/sys/dev/block/${number.major}:${number.minor}/queue/read_ahead_kb`;
    return Number(readFileSync(path, 'utf8')) * SECTORS_PER_KIB;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
