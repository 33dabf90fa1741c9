/** How far the kernel reads ahead on a device. Of ours the daemon says what the kernel would, and what was set. */

import { readFileSync } from 'node:fs';
import { DmError } from '../../base/errors.ts';
import type { DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import type { DeviceNumber } from '../../core/device.ts';
import type { DevicesAnswer } from '../../daemon/devices-method.ts';

export const SECTORS_PER_KIB = 2;

/** null: a device that never had a table is no block device yet. */
export async function readAheadSectors(
  client: DmClient,
  { name, number }: DeviceStatus,
): Promise<number | null> {
  if (client.backend === 'devmapper') {
    return (await daemonReadAheads(client)).get(name) ?? null;
  }
  return kernelReadAheadSectors(number);
}

export function kernelReadAheadPath({ major, minor }: DeviceNumber): string {
  return `/sys/dev/block/${major}:${minor}/queue/read_ahead_kb`;
}

/** null: no block device. */
export function kernelReadAheadSectors(number: DeviceNumber): number | null {
  try {
    return Number(readFileSync(kernelReadAheadPath(number), 'utf8')) * SECTORS_PER_KIB;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const answers = new WeakMap<DmClient, Promise<ReadonlyMap<string, number | null>>>();

/** Of all devices, asked for once a command. */
function daemonReadAheads(client: DmClient): Promise<ReadonlyMap<string, number | null>> {
  const answer = answers.get(client) ?? askDaemon(client);
  answers.set(client, answer);
  return answer;
}

async function askDaemon(client: DmClient): Promise<ReadonlyMap<string, number | null>> {
  try {
    const { devices } = (await client.daemon('devices')) as DevicesAnswer;
    return new Map(devices.map((device) => [device.name, device.readAheadSectors]));
  } catch (error) {
    if (error instanceof DmError && error.code === 'ENOTSUP') return new Map();
    throw error;
  }
}
