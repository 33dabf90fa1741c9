/**
 * Whether a path leads to a mapped device of ours: to a block node, a marker file that stands for one, or a file of our own
 * FUSE mount. Nothing below the mount is ever touched: this thread may be the one that would have to answer.
 */

import { lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { MappedReference } from '../core/table.ts';
import { readMarker } from './marker.ts';
import { deviceNumberOf } from './node-number.ts';

/** As many as Linux follows before it says ELOOP. */
const MAX_LINKS = 40;
/** What the preload library opens: the node's minor number, then where the node itself is. */
const HIDDEN_NAME = /^\.node-(\d{1,7})-/;

type Found = { kind: 'mounted'; name: string } | { kind: 'file'; path: string; stats: Stats };

/** undefined: something else, or nothing at all. `mountFolder` is as `withoutLinks` gave it; null: there is no mount. */
export function findMappedPath(
  path: string,
  mountFolder: string | null,
): MappedReference | undefined {
  const reference = referenceAt(path, mountFolder);
  if (reference || mountFolder === null || !path.startsWith('/dev/')) return reference;
  // Programs under `exec` may have a /dev of their own, beside the mount (see src/exec/preload.c).
  return referenceAt(join(dirname(mountFolder), path), mountFolder);
}

function referenceAt(path: string, mountFolder: string | null): MappedReference | undefined {
  const found = followLinks(path, mountFolder);
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

function followLinks(path: string, mountFolder: string | null): Found | null {
  const pending = path.split('/');
  let current = '/';
  let stats: Stats | null = null;
  let linkCount = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    const next = step(current, part);
    if (next === mountFolder) {
      return { kind: 'mounted', name: pending.filter((rest) => rest !== '').join('/') };
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
