/**
 * Everything at once: requests that overlap in time, a disk below that answers when it likes, rules that come and go, stalls, power cuts, suspends and reloads.
 * Each request ends once, nothing is left behind, and no read shows what was never written there.
 */

import { expect, test } from 'vitest';
import type { Prng } from '../../base/prng.ts';
import { sectorsToBytes } from '../../base/units.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import { ChaosRig, isOpen } from '../../testing/chaos-rig.ts';
import { withSeed } from '../../testing/seed.ts';
import { submitBio } from '../../testing/submit.ts';

const SIZE = 64;
const STEP_COUNT = 300;
const ROUND_COUNT = 5;

/** None that shows what belongs elsewhere. */
const RULES = [
  'eio:p=0.1',
  'timeout:ms=30,p=0.05',
  'torn:p=0.1',
  'lost:p=0.1',
  'lost:op=flush',
  'stale:p=0.3,remember=16',
  'reorder:ms=20,depth=4',
  'reorder:ms=1h,cache=16,fua=ignore,flush=ignore',
  'latency:dist=uniform,min=0,max=30',
  'latency:dist=disk',
  'stall:p=0.05',
  'powercut:p=0.02,ms=10,keep=0.5',
  'powercut:p=0,cache=24',
];

class Load {
  readonly #prng: Prng;
  readonly #rig: ChaosRig;
  /** Numbers that were ever written to each sector, whatever became of it. */
  readonly #ever = Array.from({ length: SIZE }, () => new Set([0]));
  #nextNumber = 1;
  startedCount = 0;
  endedCount = 0;
  readonly errors: unknown[] = [];

  constructor(prng: Prng, rig: ChaosRig) {
    this.#prng = prng;
    this.#rig = rig;
    rig.disk.answer = (finish) => {
      if (prng.chance(0.3)) finish();
      else rig.clock.after(prng.integer(0, 15), finish);
    };
  }

  async step(): Promise<void> {
    const prng = this.#prng;
    for (let count = prng.integer(0, 3); count > 0; count -= 1) void this.#request();
    if (prng.chance(0.1)) await this.#message();
    if (prng.chance(0.02)) await this.#suspend();
    await this.#rig.clock.advance(prng.integer(0, 4));
  }

  async #request(): Promise<void> {
    const prng = this.#prng;
    const { read, write, flush, discard, writeZeroes } = Op;
    const op = prng.pick([read, read, write, write, write, writeZeroes, flush, discard]);
    const sectorCount = op === Op.flush ? 0 : prng.integer(1, 6);
    const sector = op === Op.flush ? 0 : prng.integer(0, SIZE - sectorCount);
    const flags = op === Op.write && prng.chance(0.2) ? BioFlag.fua : 0;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    const hasData = op === Op.read || op === Op.write;
    const numbers = new Uint32Array(hasData ? sectorsToBytes(sectorCount) / 4 : 0);
    if (op === Op.write) {
      numbers.fill(number);
      for (let at = sector; at < sector + sectorCount; at += 1) this.#ever[at]!.add(number);
    }
    const data = new Uint8Array(numbers.buffer);
    this.startedCount += 1;
    const errno = await submitBio(this.#rig.device, { op, sector, sectorCount, flags, data });
    this.endedCount += 1;
    if (op === Op.write && numbers.some((each) => each !== number)) this.errors.push('write data');
    if (op === Op.read && errno === 0) this.#checkRead(sector, numbers);
  }

  #checkRead(sector: number, numbers: Uint32Array): void {
    numbers.forEach((number, index) => {
      const at = sector + Math.floor(index / 128);
      if (!this.#ever[at]!.has(number)) this.errors.push({ sector: at, number });
    });
  }

  async #message(): Promise<void> {
    const prng = this.#prng;
    const ruleCount = Number(this.#rig.status.split(' ')[3]);
    const choices = [`add ${prng.pick(RULES)}`, 'go', 'stall', 'power on', 'power off 5ms'];
    if (ruleCount > 0)
      choices.push('trigger 1', `remove ${prng.integer(1, ruleCount)}`, 'remove 1');
    if (prng.chance(0.1)) choices.push('clear');
    await this.#unhurried(this.#rig.message(prng.pick(choices)));
  }

  async #suspend(): Promise<void> {
    await this.#unhurried(this.#rig.device.suspend());
    expect(this.#rig.status).toMatch(/^(on|off|stalled) 0 0 /);
    if (this.#prng.chance(0.5)) {
      const words = this.#prng.chance(0.5) ? 'reorder:ms=9 latency:ms=3' : '';
      await this.#rig.load(words);
    }
    await this.#unhurried(this.#rig.device.resume());
  }

  /** Time goes on until it is done. */
  async #unhurried(action: Promise<unknown>): Promise<void> {
    for (let count = 0; await isOpen(action); count += 1) {
      if (count > 1000) throw new Error(`Never done: ${this.#rig.table}, ${this.#rig.status}`);
      await this.#rig.clock.advance(5);
    }
    await action;
  }

  async end(): Promise<void> {
    await this.#unhurried(this.#rig.world.mapper.remove(this.#rig.device));
    expect(this.errors).toEqual([]);
    expect(this.endedCount).toBe(this.startedCount);
    expect(this.#rig.clock.pendingCount).toBe(0);
    expect([this.#rig.disk.inFlightCount, this.#rig.world.disks.openCount]).toEqual([0, 0]);
  }
}

test('whatever happens, each request ends once and nothing is left behind', async () => {
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    await withSeed(async (prng) => {
      const load = new Load(prng, await ChaosRig.start(prng.pick(RULES)));
      for (let count = 0; count < STEP_COUNT; count += 1) await load.step();
      await load.end();
    });
  }
});
