/** How long a request takes, by the distribution of its rule. */

import { unreachable } from '../../base/assert.ts';
import type { Prng } from '../../base/prng.ts';
import type { RequestShape } from './decide.ts';
import type { Distribution } from './rule.ts';
import { SpinningDisk } from './spinning-disk.ts';

/** Milliseconds for a request that comes at `nowMs`. */
export type Sampler = (request: RequestShape, nowMs: number, prng: Prng) => number;

export function createSampler(distribution: Distribution, rowSectors: number): Sampler {
  switch (distribution.name) {
    case 'fixed':
      return () => distribution.ms;
    case 'uniform': {
      const { minMs, maxMs } = distribution;
      return (_request, _nowMs, prng) => minMs + prng.float() * (maxMs - minMs);
    }
    case 'normal': {
      const { meanMs, deviationMs } = distribution;
      return (_request, _nowMs, prng) => Math.max(0, meanMs + deviationMs * standardNormal(prng));
    }
    case 'pareto': {
      const { minMs, maxMs, shape } = distribution;
      return (_request, _nowMs, prng) =>
        Math.min(maxMs, minMs * (1 - prng.float()) ** (-1 / shape));
    }
    case 'disk': {
      const disk = new SpinningDisk(distribution, rowSectors);
      return (request, nowMs) => disk.serve(request, nowMs) - nowMs;
    }
    default:
      return unreachable(distribution);
  }
}

/** Box and Muller's. */
function standardNormal(prng: Prng): number {
  const radius = Math.sqrt(-2 * Math.log(1 - prng.float()));
  return radius * Math.cos(2 * Math.PI * prng.float());
}
