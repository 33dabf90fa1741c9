/** Names of the block devices behind numbers: `dm-3` and `loop0` for the kernel, `disk` or a path for people. */

import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import type { DmClient } from '../../control/client/dm-client.ts';
import { type DeviceNumber, formatDeviceNumber } from '../../core/device.ts';
import { daemonDevices } from './daemon-devices.ts';
import type { ShownName } from './ls-options.ts';

export interface BlockNames {
  /** As in /sys/block. null: no block device (yet), or a file, which has no such name. */
  blockName(number: DeviceNumber): Promise<string | null>;
  /** The mapped device's name as the mapper has it, the path of a file, else the block name. */
  deviceName(number: DeviceNumber): Promise<string | null>;
}

export async function openBlockNames(client: DmClient): Promise<BlockNames> {
  const devices = await client.list();
  const mapped = new Map(devices.map(({ number, name }) => [formatDeviceNumber(number), name]));
  const operands = await leafOperands(client);
  const blockName = async (number: DeviceNumber) => {
    const name = mapped.get(formatDeviceNumber(number));
    if (name === undefined || client.backend === 'kernel') return hostBlockName(number);
    const { liveTable, inactiveTable } = await client.status({ name });
    return liveTable || inactiveTable ? `dm-${number.minor}` : null;
  };
  return {
    blockName,
    async deviceName(number) {
      const text = formatDeviceNumber(number);
      const found = await blockName(number);
      return (found && mapped.get(text)) ?? found ?? operands.get(text) ?? null;
    },
  };
}

/** As `-o` wants it; without such a name the number. */
export async function deviceWord(
  names: BlockNames,
  shown: ShownName,
  number: DeviceNumber,
): Promise<string> {
  const word = shown === 'blkdevname' ? 'blockName' : 'deviceName';
  return (await names[word](number)) ?? formatDeviceNumber(number);
}

/** A node of this machine. A file's number belongs to nobody here. */
function hostBlockName(number: DeviceNumber): string | null {
  try {
    return basename(readlinkSync(`/sys/dev/block/${formatDeviceNumber(number)}`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** What stands below tables, by number: paths and URIs. The kernel knows none. */
async function leafOperands(client: DmClient): Promise<ReadonlyMap<string, string>> {
  const { leaves } = await daemonDevices(client);
  return new Map(leaves.map(({ number, operand }) => [number, operand]));
}
