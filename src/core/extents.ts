/** Which parts of a range are allocated: the answer to `Op.blockStatus`. */

export const ExtentFlag = { hole: 1, zero: 2 } as const;

export interface Extent {
  offsetSectors: number;
  lengthSectors: number;
  /** Bits of `ExtentFlag`; 0 is allocated data. */
  flags: number;
}

/** Extents gathered in any order; what nobody described counts as data. */
export class ExtentList {
  readonly #extents: Extent[] = [];

  /** `offsetSectors` counts from the start of the range that was asked about. */
  add(offsetSectors: number, lengthSectors: number, flags: number): void {
    if (lengthSectors > 0) this.#extents.push({ offsetSectors, lengthSectors, flags });
  }

  /** Forgets everything, for a request that is done again from its start. */
  clear(): void {
    this.#extents.length = 0;
  }

  /** Adds another list's extents, moved by `shiftSectors`: a clone's answer into its parent's. */
  addAll(list: ExtentList, shiftSectors: number): void {
    for (const extent of list.#extents) {
      this.add(extent.offsetSectors + shiftSectors, extent.lengthSectors, extent.flags);
    }
  }

  /** Sorted, gapless over [0, lengthSectors), neighbours of equal flags joined. */
  normalized(lengthSectors: number): Extent[] {
    const result: Extent[] = [];
    let end = 0;
    const append = (lengthOfPart: number, flags: number) => {
      if (lengthOfPart <= 0) return;
      const last = result.at(-1);
      if (last?.flags === flags) last.lengthSectors += lengthOfPart;
      else result.push({ offsetSectors: end, lengthSectors: lengthOfPart, flags });
      end += lengthOfPart;
    };
    const sorted = this.#extents.toSorted((a, b) => a.offsetSectors - b.offsetSectors);
    for (const { offsetSectors, lengthSectors: length, flags } of sorted) {
      append(Math.min(offsetSectors, lengthSectors) - end, 0);
      const stop = Math.min(offsetSectors + length, lengthSectors);
      append(stop - end, flags);
    }
    append(lengthSectors - end, 0);
    return result;
  }
}
