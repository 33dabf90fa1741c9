/**
 * What a program under `exec` finds: nodes in /dev/mapper, or, where the kernel lets us make none, a private /dev below the
 * daemon's folder in which marker files stand for them; and the environment that says so.
 */

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DeviceNumber } from '../core/device.ts';
import { writeMarker } from '../devices/marker.ts';
import { lvmConfiguration } from './lvm-configuration.ts';

/** Where device nodes are: in /dev itself, or in the daemon's folder. */
export type View = 'nodes' | 'private';

/** What the daemon's method `sysfs` answers. */
export interface MappedDevices {
  major: number;
  devices: readonly { name: string; minor: number }[];
  /** Nodes in /dev/mapper may be this daemon's. */
  nodes: boolean;
}

export interface WorldOptions {
  /** The daemon's. */
  folder: string;
  mapped: MappedDevices;
  /** Default: nodes, where this process can make them. */
  view?: View;
}

const CONTROL: DeviceNumber = { major: 10, minor: 236 };

/** A kernel with a device mapper of its own: /dev/mapper is its. */
const KERNEL_MAPPER = '/sys/class/misc/device-mapper';

/** Whether this process may be allowed nodes in the machine's own /dev/mapper, and would not meet others' there. */
export function mayWantNodes(kernelMapper = KERNEL_MAPPER): boolean {
  return process.getuid?.() === 0 && !existsSync(kernelMapper);
}

/** Whether mknod(2) of a device of ours works; in most containers it does not. */
export function canMakeNodes(folder: string, major: number): boolean {
  if (process.getuid?.() !== 0) return false;
  const trial = mkdtempSync(join(folder, '.mknod-'));
  try {
    return makeNode(join(trial, 'node'), 'b', { major, minor: 0 });
  } finally {
    rmSync(trial, { recursive: true });
  }
}

/** Node has no mknod. */
function makeNode(path: string, kind: 'b' | 'c', { major, minor }: DeviceNumber): boolean {
  const words = ['-m', '660', path, kind, String(major), String(minor)];
  return spawnSync('mknod', words, { stdio: 'ignore' }).status === 0;
}

/** Makes what must be there before the first program looks. */
export function prepareWorld({ folder, mapped, view }: Required<WorldOptions>): void {
  const devFolder = view === 'private' ? join(folder, 'dev') : '/dev';
  mkdirSync(join(devFolder, 'mapper'), { recursive: true });
  const node = (name: string, kind: 'b' | 'c', number: DeviceNumber) => {
    const path = join(devFolder, 'mapper', name);
    if (existsSync(path)) return;
    if (view === 'private') writeMarker(path, kind, number);
    else makeNode(path, kind, number);
  };
  node('control', 'c', CONTROL);
  for (const { name, minor } of mapped.devices) node(name, 'b', { major: mapped.major, minor });
  if (view === 'private') preparePrivateView(folder);
}

function preparePrivateView(folder: string): void {
  for (const path of ['run/cryptsetup', 'run/lock/lvm', 'run/lvm', 'lvm']) {
    mkdirSync(join(folder, path), { recursive: true, mode: 0o700 });
  }
  linkHostNodes(join(folder, 'dev'));
  const configuration = join(folder, 'lvm', 'lvm.conf');
  if (!existsSync(configuration)) writeFileSync(configuration, lvmConfiguration(folder));
}

/** So that listing /dev shows the host's devices too; opening them by name never comes here. */
function linkHostNodes(devFolder: string): void {
  for (const name of readdirSync('/dev')) {
    const path = join(devFolder, name);
    const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    if (isThere || name === 'mapper' || /^dm-\d+$/.test(name)) continue;
    try {
      symlinkSync(`/dev/${name}`, path);
    } catch (error) {
      // Another `exec` that starts now was quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** The program's environment: the caller's, and what the library needs. */
export function worldEnvironment(
  { folder, mapped, view }: Required<WorldOptions>,
  library: string,
  environment: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const others = (environment['LD_PRELOAD'] ?? '').split(/[ :]+/);
  const preloads = others.filter((path) => path !== '' && !path.includes('devmapper-preload-'));
  return {
    ...environment,
    LD_PRELOAD: [...preloads, library].join(':'),
    DEVMAPPER_DIR: folder,
    DEVMAPPER_EXEC: `${mapped.major} ${view}`,
    // No udevd hears of our devices: libdevmapper makes the nodes itself.
    DM_DISABLE_UDEV: '1',
    // util-linux 2.39 and later would use fsconfig(2), which names the device in a way nobody can change.
    LIBMOUNT_FORCE_MOUNT2: 'always',
    ...(view === 'private' && {
      LVM_SYSTEM_DIR: environment['LVM_SYSTEM_DIR'] ?? join(folder, 'lvm'),
    }),
  };
}
