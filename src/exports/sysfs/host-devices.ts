/** The host's own block devices, for the mirror of sysfs: names, numbers, and where the real sysfs has them. */

import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

export interface HostDevice {
  name: string;
  /** `major:minor`. */
  number: string;
  /** Its folder in the real sysfs. */
  path: string;
  /** As against: a partition. */
  isWholeDisk: boolean;
}

/** Mapped devices of the host's own kernel are left out: `dm-0` is ours in the mirror. */
export function listHostDevices(root = '/sys'): HostDevice[] {
  const folder = join(root, 'class/block');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !name.startsWith('dm-'))
    .flatMap((name) => describeHostDevice(root, name));
}

/** None, when the device went away meanwhile. */
function describeHostDevice(root: string, name: string): HostDevice[] {
  try {
    const path = realpathSync(join(root, 'class/block', name));
    const number = readFileSync(join(path, 'dev'), 'utf8').trim();
    return [{ name, number, path, isWholeDisk: existsSync(join(root, 'block', name)) }];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENODEV') return [];
    throw error;
  }
}
