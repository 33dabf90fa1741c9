/** How far the kernel reads ahead on a device. Of ours the daemon says what the kernel would, and what was set. */

import { readFileSync } from 'node:fs';
import type { DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import { type DeviceNumber, formatDeviceNumber } from '../../core/device.ts';
import { daemonDevices } from './daemon-devices.ts';

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

export function kernelReadAheadPath(number: DeviceNumber): string {
  return `/sys/dev/block/${formatDeviceNumber(number)}/queue/read_ahead_kb`;
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
  const { devices } = await daemonDevices(client);
  return new Map(devices.map((device) => [device.name, device.readAheadSectors]));
}
