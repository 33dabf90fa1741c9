/** Every effect there is: which requests it can be for, what it takes, and a line of help. The only list of them. */

import { Errno } from '../../base/errors.ts';
import { UINT_MAX } from '../../core/arguments.ts';
import { Op } from '../../core/bio.ts';
import type { Distribution, DistributionName, Effect, HoldLimits } from './rule.ts';
import { MAX_MS, type RuleWords } from './rule-words.ts';

export interface EffectType {
  readonly name: string;
  /** What `op` may name, and what is meant where it is not given. */
  readonly ops: readonly Op[];
  readonly defaultOps: readonly Op[];
  /** A request without sectors never meets a rule with a range. */
  readonly help: string;
  readonly keys: string;
  read(words: RuleWords): Effect;
}

const ALL = [Op.read, Op.write, Op.flush, Op.discard, Op.writeZeroes];
const STORING = [Op.write, Op.writeZeroes];

const ANSWERS: Readonly<Record<string, number>> = {
  ok: 0,
  eio: Errno.EIO,
  enospc: Errno.ENOSPC,
  timeout: Errno.ETIMEDOUT,
};

/** Disks of laptops and servers have caches of 8 to 256 MiB; ours is memory of this process. */
const DEFAULT_CACHE_SECTORS = 8192;
const MAX_CACHE_SECTORS = 2 ** 21;
/** Each held write is compared with each request. */
const MAX_HELD_WRITES = 4096;

export const EFFECTS: readonly EffectType[] = [
  {
    name: 'eio',
    ops: ALL,
    defaultOps: ALL,
    keys: '',
    help: 'fails with EIO; nothing is done',
    read: () => ({ kind: 'fail', errno: Errno.EIO, afterMs: 0 }),
  },
  {
    name: 'enospc',
    ops: ALL,
    defaultOps: STORING,
    keys: '',
    help: 'fails with ENOSPC; nothing is done',
    read: () => ({ kind: 'fail', errno: Errno.ENOSPC, afterMs: 0 }),
  },
  {
    name: 'timeout',
    ops: ALL,
    defaultOps: ALL,
    keys: 'ms=30s',
    help: 'no answer for the time, then ETIMEDOUT; nothing is done',
    read: (words) => ({
      kind: 'fail',
      errno: Errno.ETIMEDOUT,
      afterMs: words.duration('ms', 30_000),
    }),
  },
  {
    name: 'torn',
    ops: STORING,
    defaultOps: STORING,
    keys: 'sectors=<random> answer=ok|eio|enospc|timeout',
    help: 'only the first sectors land',
    read: (words) => ({
      kind: 'torn',
      sectors: words.count('sectors', null, 0),
      errno: ANSWERS[words.choice('answer', 'ok', Object.keys(ANSWERS))]!,
    }),
  },
  {
    name: 'lost',
    ops: [...STORING, Op.discard, Op.flush],
    defaultOps: STORING,
    keys: '',
    help: 'acknowledged, never done',
    read: () => ({ kind: 'lost' }),
  },
  {
    name: 'misdirected',
    ops: [...STORING, Op.read],
    defaultOps: STORING,
    keys: 'shift=8',
    help: 'done so many sectors further on (or back: -8); at the end of the row the other way',
    read: readMisdirected,
  },
  {
    name: 'bitrot',
    ops: [Op.read, Op.write],
    defaultOps: [Op.read],
    keys: 'bits=1',
    help: 'flips bits: of what a read sees, or (op=write) of what is stored',
    read: (words) => ({ kind: 'bitrot', bits: words.integer('bits', 1, { min: 1, max: 4096 }) }),
  },
  {
    name: 'stale',
    ops: [Op.read],
    defaultOps: [Op.read],
    keys: 'remember=2048',
    help: 'reads see what was there before the last write; so many sectors are remembered',
    read: (words) => ({
      kind: 'stale',
      rememberSectors: words.integer('remember', 2048, { min: 1, max: MAX_CACHE_SECTORS }),
    }),
  },
  {
    name: 'reorder',
    ops: STORING,
    defaultOps: STORING,
    keys: 'depth=16 ms=100 cache=8192 flush=respect|ignore fua=respect|ignore',
    help: 'acknowledged and held back, lands in another order',
    read: (words) => ({ kind: 'reorder', hold: readReorderLimits(words) }),
  },
  {
    name: 'latency',
    ops: ALL,
    defaultOps: ALL,
    keys: 'dist=fixed|uniform|normal|pareto|disk ms=10 min= max= sd= shape= rpm= seek= track=',
    help: 'takes its time',
    read: (words) => ({ kind: 'latency', distribution: readDistribution(words) }),
  },
  {
    name: 'stall',
    ops: ALL,
    defaultOps: ALL,
    keys: '',
    help: 'waits until message "go"',
    read: () => ({ kind: 'stall' }),
  },
  {
    name: 'powercut',
    ops: ALL,
    defaultOps: ALL,
    keys: 'ms=1s keep=0 cache=8192 flush=respect|ignore fua=respect|ignore',
    help: 'all that was not flushed is lost (each write kept with a probability), I/O fails for the time',
    read: readPowercut,
  },
];

function readMisdirected(words: RuleWords): Effect {
  const shiftSectors = words.integer('shift', 8, { min: -UINT_MAX, max: UINT_MAX });
  if (shiftSectors === 0) throw words.unexpected('shift', 'any number of sectors but 0', '0');
  return { kind: 'misdirected', shiftSectors };
}

function readReorderLimits(words: RuleWords): HoldLimits {
  return {
    writes: words.integer('depth', 16, { min: 1, max: MAX_HELD_WRITES }),
    ms: words.duration('ms', 100),
    order: 'random',
    ...readCache(words),
  };
}

function readPowercut(words: RuleWords): Effect {
  return {
    kind: 'powercut',
    offMs: words.duration('ms', 1000),
    keepProbability: words.probability('keep', 0),
    hold: { writes: MAX_HELD_WRITES, ms: null, order: 'oldest', ...readCache(words) },
  };
}

function readCache(words: RuleWords) {
  const habits = ['respect', 'ignore'] as const;
  return {
    sectors: words.integer('cache', DEFAULT_CACHE_SECTORS, { min: 1, max: MAX_CACHE_SECTORS }),
    ignoresFlush: words.choice('flush', 'respect', habits) === 'ignore',
    ignoresFua: words.choice('fua', 'respect', habits) === 'ignore',
  };
}

const DISTRIBUTIONS: readonly DistributionName[] = ['fixed', 'uniform', 'normal', 'pareto', 'disk'];

function readDistribution(words: RuleWords): Distribution {
  const name = words.choice('dist', 'fixed', DISTRIBUTIONS);
  switch (name) {
    case 'fixed':
      return { name, ms: words.duration('ms', 10) };
    case 'uniform':
      return { name, ...readBounds(words, 0, 20) };
    case 'normal': {
      const meanMs = words.duration('ms', 10);
      return { name, meanMs, deviationMs: words.duration('sd', meanMs / 4) };
    }
    case 'pareto': {
      const shape = words.decimal('shape', 1.5, { min: 0.1, max: 100 });
      return { name, shape, ...readBounds(words, 1, 10_000) };
    }
    case 'disk':
      return {
        name,
        rotationsPerMinute: words.integer('rpm', 7200, { min: 1, max: 1_000_000 }),
        seekMs: words.duration('seek', 8.5),
        trackSectors: words.integer('track', 2048, { min: 1, max: MAX_CACHE_SECTORS }),
      };
  }
}

function readBounds(words: RuleWords, min: number, max: number) {
  const minMs = words.duration('min', min);
  const maxMs = words.duration('max', words.has('min') ? Math.min(MAX_MS, minMs + max) : max);
  if (maxMs < minMs) {
    throw words.unexpected('max', `at least min, which is ${minMs} ms`, words.text('max') ?? '');
  }
  return { minMs, maxMs };
}
