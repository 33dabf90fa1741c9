/** Nodes whose device is another by now: left by a rename with other tools than libdevmapper, or by a daemon that died. */

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeNumber } from './remove-node.ts';
import { removeFile } from './tree.ts';

export interface StaleNodeOptions {
  /** Such as /dev/mapper; nothing happens when it is not there. */
  folder: string;
  /** Nodes of other numbers are others'. */
  major: number;
  /** The device with that minor number is called so; undefined: there is none. */
  nameOf: (minor: number) => string | undefined;
}

export function removeStaleNodes({ folder, major, nameOf }: StaleNodeOptions): void {
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    const number = stats && nodeNumber(path, stats);
    if (number?.major === major && nameOf(number.minor) !== name) removeFile(path);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
