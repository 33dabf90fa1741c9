/** The only list of IV generators; essiv, which goes around one of them, is in essiv.ts. */

import { eboiv } from './eboiv.ts';
import type { IvType } from './iv-generator.ts';
import { benbi, nullIv, plain, plain64, plain64be } from './numbers.ts';

const ivTypes: readonly IvType[] = [plain, plain64, plain64be, benbi, nullIv, eboiv];

const byName = new Map(ivTypes.map((type) => [type.name, type]));

/** By the kernel's name; undefined for one that nobody has. */
export function findIvType(name: string): IvType | undefined {
  return byName.get(name);
}
