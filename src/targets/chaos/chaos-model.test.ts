/**
 * Random rules and requests, one after the other, against a model of what each sector may hold. The model sees from the rules' counters which
 * rule fired, and says from the documentation alone what must follow.
 */

import { expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import type { Prng } from '../../base/prng.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import { ChaosRig, isOpen } from '../../testing/chaos-rig.ts';
import { withSeed } from '../../testing/seed.ts';
import { submitBio } from '../../testing/submit.ts';
import type { Rule } from './rule.ts';
import { parseRule } from './rule-parser.ts';

const SIZE = 64;
const ROUND_COUNT = 6;
const REQUEST_COUNT = 120;

const RULES = [
  'eio:p=0.1',
  'eio:op=read,from=10,to=20,every=3',
  'enospc:p=0.1',
  'timeout:ms=5,p=0.05',
  'torn:sectors=1,p=0.2',
  'torn:sectors=3,p=0.2,answer=eio',
  'lost:p=0.1',
  'lost:op=flush,p=0.3',
  'lost:op=discard',
  'misdirected:shift=5,p=0.1',
  'misdirected:shift=-7,op=read,p=0.1',
  'bitrot:bits=3,p=0.2',
  'bitrot:bits=2,op=write,p=0.1',
  'stale:p=0.3',
  'reorder:ms=1h,depth=5,p=0.7',
  'reorder:ms=3,cache=20',
  'reorder:ms=1h,flush=ignore,from=32',
  'reorder:ms=1h,fua=ignore,op=zeroes+write',
  'latency:dist=pareto,min=1,max=9',
  'latency:dist=disk,track=16',
  'stall:p=0.05',
  'powercut:p=0.03,ms=4',
  'powercut:every=20,ms=0,keep=0.5,cache=40',
  'powercut:p=0.05,flush=ignore,ms=2',
];

/** A sector's content is one number, over and over; 0 before anything is written. */
function contentOf(number: number): Uint8Array {
  return new Uint8Array(new Uint32Array(SECTOR_BYTES / 4).fill(number).buffer);
}

function sectorOf(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.subarray(sectorsToBytes(index), sectorsToBytes(index + 1));
}

/** How many bits of the sector differ from the content it should be. */
function damageOf(bytes: Uint8Array, number: number): number {
  const wanted = contentOf(number);
  if (Buffer.compare(bytes, wanted) === 0) return 0;
  let count = 0;
  for (const [index, byte] of bytes.entries()) {
    for (let bits = byte ^ wanted[index]!; bits !== 0; bits &= bits - 1) count += 1;
  }
  return count;
}

interface Request {
  op: Op;
  flags: number;
  sector: number;
  sectorCount: number;
  /** Of the first sector of a write; the others count on. */
  number: number;
}

class Model {
  /** What a read sees, and how many bits of it may have rotted. */
  readonly current = new Array<number>(SIZE).fill(0);
  readonly rotten = new Array<number>(SIZE).fill(0);
  /** What a power cut may leave. */
  readonly survivors = Array.from({ length: SIZE }, () => new Set([0]));
  readonly ever = Array.from({ length: SIZE }, () => new Set([0]));

  write(request: Request, sector: number, count: number, options: { bits: number; fua: boolean }) {
    for (let index = 0; index < count; index += 1) {
      const at = sector + index;
      const number = request.op === Op.write ? request.number + index : 0;
      this.current[at] = number;
      this.rotten[at] = options.bits;
      this.ever[at]!.add(number);
      if (options.fua) this.survivors[at]!.clear();
      this.survivors[at]!.add(number);
    }
  }

  /** What lies below is what there is, from now on. */
  settle(below: Uint8Array): void {
    for (let at = 0; at < SIZE; at += 1) {
      const bytes = sectorOf(below, at);
      const found = [...this.survivors[at]!].find(
        (number) => damageOf(bytes, number) <= this.#bitsOf(at),
      );
      if (found === undefined) throw new Error(`Sector ${at} holds what nobody left there`);
      this.current[at] = found;
      // It may be an older version than the one that was written last, with other damage.
      this.rotten[at] = damageOf(bytes, found);
      this.survivors[at] = new Set([found]);
    }
  }

  /** Once a bit of it may have rotted, the sector may be a version that did. */
  #bitsOf(at: number): number {
    return this.#mayRot ? 2 : this.rotten[at]!;
  }

  #mayRot = false;
  allowRot(): void {
    this.#mayRot = true;
  }

  /** Everything that is acknowledged is below. */
  checkLanded(below: Uint8Array): void {
    for (let at = 0; at < SIZE; at += 1) {
      const damage = damageOf(sectorOf(below, at), this.current[at]!);
      if (damage > this.rotten[at]!) throw new Error(`Sector ${at} has not landed`);
      this.survivors[at] = new Set([this.current[at]!]);
    }
  }

  checkRead(bytes: Uint8Array, sector: number, fired: Rule | undefined): void {
    const effect = fired?.effect;
    let damage = 0;
    let budget = effect?.kind === 'bitrot' ? effect.bits : 0;
    for (let index = 0; index * SECTOR_BYTES < bytes.length; index += 1) {
      const at = sector + index;
      const part = sectorOf(bytes, index);
      const now = damageOf(part, this.current[at]!);
      const stale = effect?.kind === 'stale' ? [...this.ever[at]!] : [];
      damage += Math.min(now, ...stale.map((number) => damageOf(part, number)));
      budget += effect?.kind === 'stale' && this.#mayRot ? 2 : this.rotten[at]!;
    }
    if (damage > budget) throw new Error(`${damage} bits of sectors ${sector}.. are wrong`);
    if (effect?.kind === 'bitrot') expect(damage).toBeGreaterThan(0);
  }
}

class Run {
  readonly #prng: Prng;
  readonly #rules: readonly Rule[];
  readonly #rig: ChaosRig;
  readonly #model = new Model();
  #nextNumber = 1;
  readonly trace: unknown[] = [];

  constructor(prng: Prng, words: readonly string[], rig: ChaosRig) {
    this.#prng = prng;
    this.#rules = words.map((word) => parseRule(word));
    this.#rig = rig;
    if (words.some((word) => word.startsWith('bitrot') && word.includes('write'))) {
      this.#model.allowRot();
    }
  }

  async step(): Promise<void> {
    if (this.#prng.chance(0.03)) await this.#suspend();
    const before = this.#firedCounts();
    const isOff = this.#rig.status.startsWith('off');
    const request = this.#draw();
    const { errno, data } = await this.#perform(request);
    const counts = this.#firedCounts();
    const fired = this.#rules.filter((_rule, index) => counts[index]! > before[index]!);
    this.trace.push(request, errno, fired.length, data.slice(0, 8));
    this.#check(request, { errno, data, fired, isOff });
  }

  #draw(): Request {
    const prng = this.#prng;
    const op = prng.pick([
      Op.read,
      Op.read,
      Op.write,
      Op.write,
      Op.write,
      Op.writeZeroes,
      Op.flush,
    ]);
    const sectorCount = op === Op.flush ? 0 : prng.integer(1, 8);
    const sector = op === Op.flush ? 0 : prng.integer(0, SIZE - sectorCount);
    const flags = op === Op.write && prng.chance(0.2) ? BioFlag.fua : 0;
    const number = this.#nextNumber * 2 ** 12;
    this.#nextNumber += 1;
    return { op, flags, sector, sectorCount, number };
  }

  async #perform({ op, flags, sector, sectorCount, number }: Request) {
    const dataOffset = 13;
    const hasData = op === Op.read || op === Op.write;
    const data = new Uint8Array(hasData ? dataOffset + sectorsToBytes(sectorCount) + 3 : 0).fill(1);
    for (let index = 0; op === Op.write && index < sectorCount; index += 1) {
      data.set(contentOf(number + index), dataOffset + sectorsToBytes(index));
    }
    const given = data.slice();
    const ending = submitBio(this.#rig.device, {
      op,
      flags,
      sector,
      sectorCount,
      data,
      dataOffset,
    });
    for (let count = 0; await isOpen(ending); count += 1) {
      await this.#rig.clock.advance(10);
      if (count % 10 === 9) await this.#rig.message('go');
    }
    const errno = await ending;
    const end = dataOffset + sectorsToBytes(sectorCount);
    // What a read may write is its own part of the buffer.
    if (op === Op.read) given.set(data.subarray(dataOffset, end), dataOffset);
    expect(Buffer.compare(data, given), 'nothing else of the buffer changes').toBe(0);
    return { errno, data: data.subarray(dataOffset, end) };
  }

  #check(
    request: Request,
    outcome: { errno: number; data: Uint8Array; fired: readonly Rule[]; isOff: boolean },
  ): void {
    const { errno, data, fired, isOff } = outcome;
    const cut = fired.find(({ effect }) => effect.kind === 'powercut');
    if (isOff && errno === Errno.EIO && fired.length === 0) return;
    if (cut !== undefined) {
      expect(errno).toBe(Errno.EIO);
      this.#model.settle(this.#rig.disk.bytes);
      return;
    }
    const fault = fired.find(
      ({ effect }) => !['latency', 'stall', 'reorder', 'powercut'].includes(effect.kind),
    );
    const effect = fault?.effect;
    const expected = effect?.kind === 'fail' || effect?.kind === 'torn' ? effect.errno : 0;
    expect(errno, JSON.stringify({ request, effect })).toBe(expected);
    if (effect?.kind === 'fail' || effect?.kind === 'lost') return;
    if (request.op === Op.read) this.#checkRead(request, data, fault);
    else if (request.op === Op.flush) this.#checkFlush();
    else this.#write(request, fault);
  }

  #checkRead({ sector, sectorCount }: Request, data: Uint8Array, fault: Rule | undefined): void {
    this.#model.checkRead(data, sector + shiftOf(fault, sector, sectorCount), fault);
  }

  #checkFlush(): void {
    const isLiar = this.#rules.some(({ text }) => text.includes('flush=ignore'));
    if (!isLiar) this.#model.checkLanded(this.#rig.disk.bytes);
  }

  #write(request: Request, fault: Rule | undefined): void {
    const effect = fault?.effect;
    const { sector, sectorCount } = request;
    const landing = effect?.kind === 'torn' ? Math.min(effect.sectors!, sectorCount) : sectorCount;
    const bits = effect?.kind === 'bitrot' ? effect.bits : 0;
    const ignoresFua = this.#rules.some(({ text }) => text.includes('fua=ignore'));
    const fua = (request.flags & BioFlag.fua) !== 0 && !ignoresFua;
    const to = sector + shiftOf(fault, sector, sectorCount);
    this.#model.write(request, to, landing, { bits, fua });
  }

  async #suspend(): Promise<void> {
    await this.#rig.device.suspend();
    this.#model.checkLanded(this.#rig.disk.bytes);
    await this.#rig.device.resume();
  }

  async end(): Promise<void> {
    await this.#rig.world.mapper.remove(this.#rig.device);
    this.#model.checkLanded(this.#rig.disk.bytes);
    expect(this.#rig.clock.pendingCount).toBe(0);
  }

  #firedCounts(): number[] {
    return this.#rig.status
      .split(' ')
      .slice(4)
      .map((text) => Number(/:(\d+)\//.exec(text)![1]));
  }
}

function shiftOf(fault: Rule | undefined, sector: number, sectorCount: number): number {
  if (fault?.effect.kind !== 'misdirected') return 0;
  const { shiftSectors: shift } = fault.effect;
  const fits = sector + shift >= 0 && sector + shift + sectorCount <= SIZE;
  return fits ? shift : -shift;
}

async function runOnce(prng: Prng): Promise<unknown[]> {
  const words = RULES.filter(() => prng.chance(0.2));
  const rig = await ChaosRig.start([`seed=${prng.uint32()}`, ...words].join(' '));
  const run = new Run(prng, words, rig);
  try {
    for (let count = 0; count < REQUEST_COUNT; count += 1) await run.step();
    await run.end();
  } catch (cause) {
    throw new Error(`With rules ${words.join(' ')}: ${String(cause)}`, { cause });
  }
  return [...run.trace, rig.disk.recorded];
}

test('random rules do to random requests what is said of them', async () => {
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    await withSeed(async (prng) => {
      await runOnce(prng);
    });
  }
});

test('the same seed does the same again', async () => {
  const traces: unknown[] = [];
  for (let round = 0; round < 2; round += 1) {
    await withSeed(async (prng) => {
      traces.push(await runOnce(prng));
    }, 12_345);
  }
  expect(traces[0]).toEqual(traces[1]);
});
