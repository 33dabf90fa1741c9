/** Which major number mapped devices can have, so that their nodes never meet a driver of this machine. */

import { readFileSync } from 'node:fs';
import { MAPPED_MAJOR } from '../core/mapper.ts';

/** 12 bits; the kernel gives out no more than 511. */
const MAJOR_LIMIT = 512;

/** The usual one, or else the next that no block driver has. */
export function findFreeMajor(path = '/proc/devices'): number {
  const taken = blockMajors(path);
  for (let major = MAPPED_MAJOR; major < MAJOR_LIMIT; major += 1) {
    if (!taken.has(major)) return major;
  }
  return MAPPED_MAJOR;
}

function blockMajors(path: string): Set<number> {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    // Not Linux: nobody makes nodes there.
    return new Set();
  }
  const section = text.slice(text.indexOf('Block devices:'));
  return new Set([...section.matchAll(/^ *(\d+) /gm)].map(([, major]) => Number(major)));
}
