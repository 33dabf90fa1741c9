import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import type { Conditions, Effect } from './rule.ts';
import { parseRule } from './rule-parser.ts';

const CACHE = { sectors: 8192, ignoresFlush: false, ignoresFua: false };

test.each<[string, Effect]>([
  ['eio', { kind: 'fail', errno: Errno.EIO, afterMs: 0 }],
  ['enospc', { kind: 'fail', errno: Errno.ENOSPC, afterMs: 0 }],
  ['timeout', { kind: 'fail', errno: Errno.ETIMEDOUT, afterMs: 30_000 }],
  ['timeout:ms=1.5s', { kind: 'fail', errno: Errno.ETIMEDOUT, afterMs: 1500 }],
  ['torn', { kind: 'torn', sectors: null, errno: 0 }],
  ['torn:sectors=0,answer=enospc', { kind: 'torn', sectors: 0, errno: Errno.ENOSPC }],
  ['lost', { kind: 'lost' }],
  ['misdirected', { kind: 'misdirected', shiftSectors: 8 }],
  ['misdirected:shift=-16', { kind: 'misdirected', shiftSectors: -16 }],
  ['bitrot:bits=3', { kind: 'bitrot', bits: 3 }],
  ['stale:remember=64', { kind: 'stale', rememberSectors: 64 }],
  ['reorder', { kind: 'reorder', hold: { ...CACHE, writes: 16, ms: 100, order: 'random' } }],
  [
    'powercut:ms=2s,keep=25%,cache=64,flush=ignore,fua=ignore',
    {
      kind: 'powercut',
      offMs: 2000,
      keepProbability: 0.25,
      hold: {
        sectors: 64,
        writes: 4096,
        ms: null,
        order: 'oldest',
        ignoresFlush: true,
        ignoresFua: true,
      },
    },
  ],
  ['stall', { kind: 'stall' }],
  ['latency', { kind: 'latency', distribution: { name: 'fixed', ms: 10 } }],
  [
    'latency:dist=uniform,min=2,max=4ms',
    { kind: 'latency', distribution: { name: 'uniform', minMs: 2, maxMs: 4 } },
  ],
  [
    'latency:dist=normal,ms=20',
    { kind: 'latency', distribution: { name: 'normal', meanMs: 20, deviationMs: 5 } },
  ],
  [
    'latency:dist=pareto,min=500us,shape=2',
    {
      kind: 'latency',
      distribution: { name: 'pareto', minMs: 0.5, shape: 2, maxMs: 10_000.5 },
    },
  ],
  [
    'latency:dist=disk,rpm=5400',
    {
      kind: 'latency',
      distribution: { name: 'disk', rotationsPerMinute: 5400, seekMs: 8.5, trackSectors: 2048 },
    },
  ],
])('%s', (text, effect) => {
  expect(parseRule(text)).toMatchObject({ text, effect, name: null, seed: null });
});

describe('conditions', () => {
  const never = Number.POSITIVE_INFINITY;
  const usual: Conditions = {
    ops: new Set([Op.read, Op.write, Op.flush, Op.discard, Op.writeZeroes]),
    range: null,
    afterMs: 0,
    forMs: never,
    skip: 0,
    nth: null,
    every: 1,
    probability: 1,
    count: never,
  };
  test.each<[string, Partial<Conditions>]>([
    ['eio', {}],
    ['lost', { ops: new Set([Op.write, Op.writeZeroes]) }],
    ['lost:op=flush', { ops: new Set([Op.flush]) }],
    ['eio:op=read+discard', { ops: new Set([Op.read, Op.discard]) }],
    ['eio:from=8,to=16', { range: { fromSector: 8, toSector: 16 } }],
    ['eio:to=1', { range: { fromSector: 0, toSector: 1 } }],
    ['eio:p=1e-3', { probability: 0.001 }],
    ['eio:p=0.5%', { probability: 0.005 }],
    ['eio:nth=3,skip=2', { nth: 3, skip: 2 }],
    ['eio:every=10,count=2', { every: 10, count: 2 }],
    ['eio:after=1m,for=2s', { afterMs: 60_000, forMs: 2000 }],
    ['powercut', { count: 1 }],
    ['powercut:p=0', { probability: 0 }],
    ['powercut:every=5', { every: 5 }],
  ])('%s', (text, different) => {
    expect(parseRule(text).conditions).toEqual({ ...usual, ...different });
  });
});

test('a name and a seed', () => {
  expect(parseRule('eio:name=bad-disk.1,seed=42')).toMatchObject({ name: 'bad-disk.1', seed: 42 });
});

test.each([
  ['', /expected one of eio, enospc, .*, got ""/],
  ['EIO', /expected one of .*, got "EIO"/],
  ['eio:', /Invalid rule "eio:": expected <key>=<value>, got ""/],
  ['eio:p', /expected <key>=<value>, got "p"/],
  ['eio:p=', /expected <key>=<value>, got "p="/],
  ['eio:p=0.1,p=0.2', /p is given twice/],
  ['eio:p=2', /p: expected a probability from 0 to 1, .*, got "2"/],
  ['eio:p=101%', /p: expected a probability .* got "101%"/],
  ['eio:p=-0.1', /p: expected a probability/],
  ['eio:nth=0', /nth: expected an integer from 1 to 4294967295, got "0"/],
  ['eio:nth=1x', /nth: expected an integer .* got "1x"/],
  ['eio:nth=1,every=2', /nth and every do not go together/],
  ['eio:from=8,to=8', /to: expected a sector .* above from \(8\), got "8"/],
  ['eio:op=flush,from=8', /a flush has no sectors/],
  ['eio:op=reed', /op: expected .* read, write, flush, discard, zeroes, got "reed"/],
  ['torn:op=read', /op: expected .* of write, zeroes, got "read"/],
  ['stale:op=write', /op: expected .* of read, got "write"/],
  ['eio:ms=3', /unknown key "ms", expected one of op, from, to, p, nth, .*, name, seed/],
  ['timeout:ms=25d', /ms: expected a time up to 2147483647 ms .*, got "25d"/],
  ['timeout:ms=99999h', /ms: expected a time/],
  ['misdirected:shift=0', /shift: expected any number of sectors but 0, got "0"/],
  ['bitrot:bits=5000', /bits: expected an integer from 1 to 4096, got "5000"/],
  ['torn:answer=eperm', /answer: expected one of ok, eio, enospc, timeout, got "eperm"/],
  ['latency:dist=gauss', /dist: expected one of fixed, uniform, normal, pareto, disk, got "gauss"/],
  ['latency:dist=uniform,min=5,max=4', /max: expected at least min, which is 5 ms, got "4"/],
  ['latency:dist=fixed,rpm=7200', /unknown key "rpm"/],
  ['eio:name=1st', /name: expected a letter, .* got "1st"/],
  ['eio:seed=-1', /seed: expected an integer from 0 to 4294967295, got "-1"/],
  ['reorder:depth=5000', /depth: expected an integer from 1 to 4096/],
  ['powercut:flush=maybe', /flush: expected one of respect, ignore, got "maybe"/],
])('refuses "%s"', (text, message) => {
  const parse = () => parseRule(text);
  expect(parse).toThrow(expect.objectContaining({ name: 'DmError', code: 'EINVAL' }) as Error);
  expect(parse).toThrow(message);
});
