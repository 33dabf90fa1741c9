/** The only list of IV generators; essiv, which goes around one of them, is in essiv.ts. */

import { eboiv } from './eboiv.ts';
import { elephant } from './elephant.ts';
import type { IvType } from './iv-generator.ts';
import { lmk } from './lmk.ts';
import { benbi, nullIv, plain, plain64, plain64be } from './numbers.ts';
import { tcw } from './tcw.ts';

const ivTypes: readonly IvType[] = [
  plain,
  plain64,
  plain64be,
  benbi,
  nullIv,
  eboiv,
  elephant,
  lmk,
  tcw,
];

const byName = new Map(ivTypes.map((type) => [type.name, type]));

/** By the kernel's name; undefined for one that nobody has. */
export function findIvType(name: string): IvType | undefined {
  return byName.get(name);
}
