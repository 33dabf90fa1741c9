/** Nodes of devices that went away by other hands than libdevmapper's, which takes its own away. */

import { lstatSync, type Stats } from 'node:fs';
import type { DeviceNumber } from '../../core/device.ts';
import { readMarker } from '../../devices/marker.ts';
import { deviceNumberOf } from '../../devices/node-number.ts';
import { removeFile } from './tree.ts';

/** Removes the node, or the marker file, of exactly this device; anything else at `path` stays. */
export function removeNode(path: string, { major, minor }: DeviceNumber): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  const found = stats && nodeNumber(path, stats);
  if (found?.major === major && found.minor === minor) removeFile(path);
}

/** Of a node, or of the marker file of one; null: it is neither. */
export function nodeNumber(path: string, stats: Stats): DeviceNumber | null {
  return stats.isBlockDevice() ? deviceNumberOf(stats.rdev) : readMarker(path, stats);
}
