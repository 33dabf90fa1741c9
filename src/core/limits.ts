/** Queue limits and how they stack, after blk_stack_limits: the device on top promises only what every device below keeps. */

export interface Limits {
  /** Smallest addressable unit; every bio is a multiple of it. */
  readonly logicalBlockBytes: number;
  /** Smallest unit written without read-modify-write. */
  readonly physicalBlockBytes: number;
  /** Preferred minimum request. */
  readonly ioMinBytes: number;
  /** Preferred sustained request; 0: none. */
  readonly ioOptBytes: number;
  /** Largest bio; Infinity: any. */
  readonly maxIoSectors: number;
  /** 0: discard is not supported. */
  readonly discardGranularityBytes: number;
  /** Largest discard; not there: any. */
  readonly maxDiscardSectors?: number;
}

export const DEFAULT_LIMITS: Limits = {
  logicalBlockBytes: 512,
  physicalBlockBytes: 512,
  ioMinBytes: 512,
  ioOptBytes: 0,
  maxIoSectors: Number.POSITIVE_INFINITY,
  discardGranularityBytes: 512,
};

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** As the kernel's lcm_not_zero: a zero means "no opinion". */
export function leastCommonMultiple(a: number, b: number): number {
  if (a === 0 || b === 0) return a || b;
  return (a / greatestCommonDivisor(a, b)) * b;
}

/** The limits of something that uses both. */
export function stackLimits(top: Limits, bottom: Limits): Limits {
  const maxDiscardSectors = Math.min(
    top.maxDiscardSectors ?? Number.POSITIVE_INFINITY,
    bottom.maxDiscardSectors ?? Number.POSITIVE_INFINITY,
  );
  return {
    logicalBlockBytes: Math.max(top.logicalBlockBytes, bottom.logicalBlockBytes),
    physicalBlockBytes: Math.max(top.physicalBlockBytes, bottom.physicalBlockBytes),
    ioMinBytes: Math.max(top.ioMinBytes, bottom.ioMinBytes),
    ioOptBytes: leastCommonMultiple(top.ioOptBytes, bottom.ioOptBytes),
    maxIoSectors: Math.min(top.maxIoSectors, bottom.maxIoSectors),
    discardGranularityBytes:
      top.discardGranularityBytes === 0 || bottom.discardGranularityBytes === 0
        ? 0
        : Math.max(top.discardGranularityBytes, bottom.discardGranularityBytes),
    ...(Number.isFinite(maxDiscardSectors) && { maxDiscardSectors }),
  };
}
