/**
 * Whether a path leads to a mapped device of ours: to a block node, a marker file that stands for one, or a file of our own
 * FUSE mount. Nothing below the mount is ever touched: this thread may be the one that would have to answer.
 */

import { lstatSync, readFileSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { MappedReference } from '../core/device-opener.ts';
import { mountsOfType, OWN_MOUNT_TYPE } from '../system/mount-list.ts';
import { readMarker } from './marker.ts';
import { deviceNumberOf } from './node-number.ts';

/** As many as Linux follows before it says ELOOP. */
const MAX_LINKS = 40;
/** What the preload library opens: the node's minor number, then where the node itself is. */
const HIDDEN_NAME = /^\.node-(\d{1,7})-/;

type Found = { kind: 'mounted'; name: string } | { kind: 'file'; path: string; stats: Stats };

/** Where our mount can be reached: each place with the name in the mount that it shows, '' for all of it. */
export type MountPlaces = ReadonlyMap<string, string>;

/**
 * The mount at `mountFolder`, which is as `withoutLinks` gave it, and wherever it, or a file of it, is mounted once more (mount --bind).
 * `mountinfo` is the kernel's list: to ask the places themselves would be to ask this thread.
 */
export function mountPlaces(mountFolder: string, mountinfo = readMountinfo()): MountPlaces {
  const mounts = mountsOfType(OWN_MOUNT_TYPE, mountinfo);
  const ours = mounts.findLast(({ place }) => place === mountFolder);
  const copies = mounts
    .filter(({ device }) => device === ours?.device)
    .map(({ place, root }) => [place, root.slice(1)] as const);
  return new Map([...copies, [mountFolder, '']]);
}

function readMountinfo(): string {
  return attempt(() => readFileSync('/proc/self/mountinfo', 'utf8')) ?? '';
}

/** undefined: something else, or nothing at all. `mountFolder` is as `withoutLinks` gave it; null: there is no mount. */
export function findMappedPath(
  path: string,
  mountFolder: string | null,
  places: MountPlaces = mountFolder === null ? new Map() : mountPlaces(mountFolder),
): MappedReference | undefined {
  const reference = referenceAt(path, places);
  if (reference || mountFolder === null || !path.startsWith('/dev/')) return reference;
  // Programs under `exec` may have a /dev of their own, beside the mount (see src/exec/preload.c).
  return referenceAt(join(dirname(mountFolder), path), places);
}

function referenceAt(path: string, places: MountPlaces): MappedReference | undefined {
  const found = followLinks(path, places);
  if (found === null) return undefined;
  if (found.kind === 'mounted') return mountedReference(found.name);
  const { stats } = found;
  if (stats.isBlockDevice()) return { number: deviceNumberOf(stats.rdev) };
  const number = readMarker(found.path, stats);
  return number ? { number } : undefined;
}

function mountedReference(name: string): MappedReference {
  const minor = HIDDEN_NAME.exec(name)?.[1];
  return minor === undefined ? { name } : { minor: Number(minor) };
}

/** An absolute path as links lead to it, all but its last part, which is the mount itself. null: nothing is there. */
export function withoutLinks(mountFolder: string): string | null {
  return attempt(() => join(realpathSync(dirname(mountFolder)), basename(mountFolder)));
}

function followLinks(path: string, places: MountPlaces): Found | null {
  const pending = path.split('/');
  let current = '/';
  let stats: Stats | null = null;
  let linkCount = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    const next = step(current, part);
    const shown = places.get(next);
    if (shown !== undefined) {
      const name = [shown, ...pending].filter((rest) => rest !== '').join('/');
      return { kind: 'mounted', name };
    }
    if (next === current) continue;
    stats = attempt(() => lstatSync(next));
    if (stats === null) return null;
    if (!stats.isSymbolicLink()) {
      current = next;
      continue;
    }
    linkCount += 1;
    const target = attempt(() => readlinkSync(next));
    if (target === null || linkCount > MAX_LINKS) return null;
    if (target.startsWith('/')) current = '/';
    pending.unshift(...target.split('/'));
  }
  return stats && { kind: 'file', path: current, stats };
}

/** As `resolve`, for one part: a tenth of the time. */
function step(current: string, part: string): string {
  if (part === '' || part === '.') return current;
  if (part === '..') return dirname(current);
  return current === '/' ? `/${part}` : `${current}/${part}`;
}

/** Whoever opens the path afterwards says what is wrong with it. */
function attempt<T>(action: () => T): T | null {
  try {
    return action();
  } catch {
    return null;
  }
}
