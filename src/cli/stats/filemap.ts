/**
 * `devmapper stats create --filemap` and `update_filemap`: a region for each extent of a file.
 *
 * A file can be mapped when its file system lies right on a mapped device that the host knows, which is so for a real kernel's devices
 * (`--kernel`) alone: a file system on one of ours reaches the host as a loop device, an NBD device or a FUSE file, whose numbers are
 * not those of ours.
 */

import { realpathSync } from 'node:fs';
import { commandFailed } from '../dmsetup/failure.ts';
import type { DmsetupOptions } from '../dmsetup/options.ts';
import { readBounds } from './create.ts';

const MODES: readonly string[] = ['inode', 'path'];

function checkOptions(options: DmsetupOptions): void {
  const refuse = (line: string) => commandFailed([line]);
  const { areas, areasize, start, length, segments, userdata, uuid, major } = options;
  if (areas !== undefined || areasize !== undefined)
    throw refuse('--filemap is incompatible with --areas and --area-size.');
  if (start !== undefined || length !== undefined)
    throw refuse('--filemap is incompatible with --start and --length.');
  if (segments) throw refuse('--filemap and --segments are incompatible.');
  if (userdata !== undefined) throw refuse('--userdata is not yet supported with --filemap.');
  if (uuid !== undefined || major !== undefined)
    throw refuse('--uuid and --major are incompatible with --filemap.');
  if (options.alldevices) throw refuse('--alldevices is incompatible with --filemap.');
}

function absolutePath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    throw commandFailed([`Could not canonicalize file name: ${path}`]);
  }
}

function checkFollowing({ follow, nomonitor, nogroup }: DmsetupOptions): void {
  if (nomonitor) return;
  if (nogroup) throw commandFailed([]);
  if (follow !== undefined && !MODES.includes(follow))
    throw commandFailed([`Could not parse dmfilemapd mode: ${follow}`]);
}

export function createFilemap([path]: readonly string[], options: DmsetupOptions): never {
  checkOptions(options);
  if (path === undefined) throw commandFailed(['--filemap requires a file path argument']);
  const absolute = absolutePath(path);
  readBounds(options.bounds);
  checkFollowing(options);
  if (options.nogroup && options.alias !== undefined)
    throw commandFailed(['Cannot set alias with --nogroup.']);
  throw commandFailed([
    'Cannot map file: not a device-mapper device.',
    `Could not create regions from file ${absolute}.`,
  ]);
}

export function updateFilemap([path]: readonly string[], options: DmsetupOptions): never {
  checkOptions(options);
  if (path === undefined) throw commandFailed(['update_filemap requires a file path argument']);
  if (options.groupid === undefined)
    throw commandFailed(['--groupid is required to update a filemap group.']);
  const absolute = absolutePath(path);
  checkFollowing(options);
  throw commandFailed([
    'Cannot map file: not a device-mapper device.',
    `Could not update regions from file ${absolute}`,
  ]);
}
