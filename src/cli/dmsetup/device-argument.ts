/**
 * Which device a command is about: a name, a path below a folder of nodes (`/dev/mapper/NAME`), a node of a mapped device, or the options
 * --uuid, --major and --minor. A name counts before the options, as in dmsetup.
 */

import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { stateFolder } from '../../system/state-folder.ts';
import { commandFailed } from './failure.ts';
import { mangle, manglingMode } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';

/** DM_NAME_LEN counts the final NUL. */
export const MOST_NAME_BYTES = 127;

/** Linux keeps 12 bits of major and 8 + 12 bits of minor in st_rdev, as glibc's gnu_dev_major(3) says. */
function deviceNumber(rdev: number): { major: number; minor: number } {
  const bits = BigInt(rdev);
  const major = Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn));
  const minor = Number((bits & 0xffn) | ((bits >> 12n) & ~0xffn));
  return { major, minor };
}

export function missingDevice(): never {
  throw commandFailed(['No device specified.']);
}

/** The device of --uuid, or of --major and --minor; null without them. */
export function optionDevice(options: DmsetupOptions): DeviceSelector | null {
  const { uuid, major, minor } = options;
  if (uuid !== undefined) return { uuid: mangle(uuid, 'UUID', manglingMode(options)) };
  return major !== undefined && minor !== undefined ? { number: { major, minor } } : null;
}

/** One operand: a name or a path. */
export async function deviceArgument(
  client: DmClient,
  operand: string,
  options: DmsetupOptions,
): Promise<DeviceSelector> {
  if (!operand.includes('/')) return { name: mangledName(operand, options) };
  const name = nameInMapperFolder(operand);
  const devices = await client.list();
  if (name !== null && devices.some((device) => device.name === mangledName(name, options))) {
    return { name: mangledName(name, options) };
  }
  const minor = client.backend === 'devmapper' ? minorOfPath(operand) : null;
  if (minor !== null) {
    const device = devices.find(({ number }) => number.minor === minor);
    if (!device) throw commandFailed([`Device ${operand} not found`]);
    return { name: device.name };
  }
  const stats = statSync(operand, { throwIfNoEntry: false });
  if (!stats) throw commandFailed([`Device ${operand} not found`]);
  if (!stats.isBlockDevice()) throw commandFailed([`Device ${basename(operand)} not found`]);
  const found = deviceNumber(stats.rdev);
  const device = devices.find(
    ({ number }) => number.major === found.major && number.minor === found.minor,
  );
  if (!device) throw commandFailed([`Device ${basename(operand)} not found`]);
  return { name: device.name };
}

export function mangledName(name: string, options: DmsetupOptions): string {
  if (Buffer.byteLength(name) > MOST_NAME_BYTES) {
    throw commandFailed([`Name "${name}" too long.`]);
  }
  return mangle(name, 'name', manglingMode(options));
}

/** The last part of a path into /dev/mapper or our own folder of mapped devices. */
function nameInMapperFolder(path: string): string | null {
  const folders = [join(nodeFolder(), 'mapper'), join(stateFolder(), 'mapper')];
  const absolute = resolve(path);
  const folder = folders.find((each) => absolute.startsWith(`${each}/`));
  return folder === undefined ? null : absolute.slice(folder.length + 1);
}

/** Of /dev/dm-N, which is ours as it is in `exec`, whether or not a node is there; null for any other path. */
function minorOfPath(path: string): number | null {
  const digits = /\/dm-(\d{1,7})$/.exec(path)?.[1];
  return digits && resolve(path) === join(nodeFolder(), `dm-${digits}`) ? Number(digits) : null;
}

function nodeFolder(): string {
  const folder = process.env['DM_DEV_DIR'];
  return folder !== undefined && existsSync(folder) ? folder : '/dev';
}

/** A name that is to be given to a device. */
export function newName(name: string, options: DmsetupOptions): string {
  if (name.includes('/')) throw commandFailed([`Name "${name}" invalid. It contains "/".`]);
  return mangledName(name, options);
}
