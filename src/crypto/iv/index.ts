/** The only list of IV generators. */

import type { IvType } from './iv-generator.ts';

const ivTypes: readonly IvType[] = [];

const byName = new Map(ivTypes.map((type) => [type.name, type]));

/** By the kernel's name; undefined for one that nobody has. */
export function findIvType(name: string): IvType | undefined {
  return byName.get(name);
}
