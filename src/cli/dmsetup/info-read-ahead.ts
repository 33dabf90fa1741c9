/** How far the kernel reads ahead on a device. Ours leaves that to whoever reads; it shows what the kernel would begin with. */

import { readFileSync } from 'node:fs';
import { DmError } from '../../base/errors.ts';
import type { DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import type { DevicesAnswer } from '../../daemon/devices-method.ts';

const SECTORS_PER_KIB = 2;

/** null: a device that never had a table is no block device yet. */
export async function readAheadSectors(
  client: DmClient,
  { name, number, liveTable, inactiveTable }: DeviceStatus,
): Promise<number | null> {
  if (client.backend === 'devmapper') {
    if (!liveTable && !inactiveTable) return null;
    return (await daemonReadAheads(client)).get(name) ?? null;
  }
  try {
    const path = `/sys/dev/block/${number.major}:${number.minor}/queue/read_ahead_kb`;
    return Number(readFileSync(path, 'utf8')) * SECTORS_PER_KIB;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const answers = new WeakMap<DmClient, Promise<ReadonlyMap<string, number>>>();

/** Of all devices, asked for once a command. */
function daemonReadAheads(client: DmClient): Promise<ReadonlyMap<string, number>> {
  const answer = answers.get(client) ?? askDaemon(client);
  answers.set(client, answer);
  return answer;
}

async function askDaemon(client: DmClient): Promise<ReadonlyMap<string, number>> {
  try {
    const { devices } = (await client.daemon('devices')) as DevicesAnswer;
    return new Map(devices.map((device) => [device.name, device.readAheadSectors]));
  } catch (error) {
    if (error instanceof DmError && error.code === 'ENOTSUP') return new Map();
    throw error;
  }
}
