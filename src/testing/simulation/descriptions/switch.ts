/** switch: messages move regions from path to path; a reload forgets them. */

import {
  operandOf,
  type Part,
  type RowDraft,
  type TargetDescription,
  takeAll,
} from '../description.ts';

interface Paths {
  regionSectors: number;
  paths: readonly Part[];
}

/** `pathOf`: of each region. */
function switchRow(shape: Paths, pathOf: readonly number[], fresh?: RowDraft): RowDraft {
  const { regionSectors, paths } = shape;
  const { lengthSectors } = paths[0]!;
  const places = paths.map((part) => ` ${operandOf(part)} ${part.startSectors}`).join('');
  const row: RowDraft = {
    type: 'switch',
    lengthSectors,
    params: `${paths.length} ${regionSectors} 0${places}`,
    parts: paths,
    show: (parts) =>
      Array.from({ length: lengthSectors }, (_, sector) => {
        return parts[pathOf[Math.floor(sector / regionSectors)]!]![sector]!;
      }),
    message(prng) {
      const moved = [...pathOf];
      const mappings: string[] = [];
      for (let count = prng.integer(1, 5); count > 0; count -= 1) {
        const region = prng.integer(0, moved.length - 1);
        const path = prng.integer(0, paths.length - 1);
        moved[region] = path;
        mappings.push(`${region.toString(16)}:${path.toString(16)}`);
      }
      const after = switchRow(shape, moved, fresh ?? row);
      return { argv: ['set_region_mappings', ...mappings], after };
    },
  };
  return fresh ? { ...row, fresh } : row;
}

export const switchTarget: TargetDescription = {
  name: 'switch',
  weight: 1,
  draw(drawing) {
    const { prng } = drawing;
    const regionSectors = prng.integer(1, 8);
    const lengthSectors = prng.integer(1, 30);
    const paths = takeAll(drawing, prng.integer(1, 3), lengthSectors);
    if (paths === null) return null;
    const regionCount = Math.ceil(lengthSectors / regionSectors);
    // As it begins: the paths in turn.
    const pathOf = Array.from({ length: regionCount }, (_, region) => region % paths.length);
    return switchRow({ regionSectors, paths }, pathOf);
  },
};
