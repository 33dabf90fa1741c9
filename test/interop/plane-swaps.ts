/** Everything that may happen to a device and to those below it while clients use it: suspended, resumed, mapped anew. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { Prng } from '../../src/base/prng.ts';
import type { PlaneFixture } from './plane-fixture.ts';

const MIB = 1024 * 1024;
const SECTOR = 512;
/** The same bytes before and after each change. */
export const CORE_BYTES = 2 * MIB;
const CORE = CORE_BYTES / SECTOR;
/** Behind the core, mapped anew in every round. */
export const SCRATCH_BYTES = MIB;
const SCRATCH = SCRATCH_BYTES / SECTOR;

/** Tables of the core: the same bytes, held in ever other ways. */
function coreTable(prng: Prng, folder: string, round: number): string[] {
  const file = (name: string) => join(folder, `${name}${round % 2}`);
  const half = CORE / 2;
  const cut = prng.integer(1, CORE / 8 - 1) * 8;
  const shapes: string[][] = [
    [`0 ${CORE} linear ${file('a')} 0`],
    [`0 ${cut} linear ${file('a')} ${CORE - cut}`, `${cut} ${CORE - cut} linear ${file('b')} 0`],
    [`0 ${CORE} striped 2 ${prng.pick([8, 128])} ${file('a')} 0 ${file('b')} 64`],
    [`0 ${half} linear mem:2M#${round % 2} 0`, `${half} ${half} linear ${file('a')} 0`],
    [`0 ${CORE} main-linear ${file('a')} 128`],
    [`0 ${cut} linear ${file('a')} 0`, `${cut} ${CORE - cut} main-linear ${file('b')} 0`],
    [`0 ${CORE} linear mapper/lower${round % 2} 0`],
    [
      `0 ${half} linear mapper/lower${round % 2} ${half}`,
      `${half} ${half} linear mapper/lower${round % 2} 0`,
    ],
  ];
  return prng.pick(shapes);
}

/** What lies behind the core: nothing, zeroes, errors, a file, something for the main thread. */
function scratchTable(prng: Prng, folder: string): string[] {
  const half = SCRATCH / 2;
  const shapes: string[][] = [
    [],
    [`${CORE} ${SCRATCH} zero`],
    [`${CORE} ${SCRATCH} error`],
    [`${CORE} ${half} error`],
    [`${CORE} ${half} zero`, `${CORE + half} ${half} linear ${join(folder, 'scratch')} 0`],
    [`${CORE} ${SCRATCH} linear ${join(folder, 'scratch')} 0`],
    [`${CORE} ${half} main-linear ${join(folder, 'scratch')} 0`, `${CORE + half} ${half} error`],
  ];
  return prng.pick(shapes);
}

export class Swaps {
  readonly fixture: PlaneFixture;
  readonly prng: Prng;
  round = 0;
  table: string[];

  /** Whether something changes behind the core, and with it the size of the device. */
  readonly #resizes: boolean;

  private constructor(fixture: PlaneFixture, prng: Prng, resizes: boolean) {
    this.fixture = fixture;
    this.#resizes = resizes;
    this.prng = prng;
    this.table = [`0 ${CORE} linear ${join(fixture.folder, 'a0')} 0`];
  }

  static async start(fixture: PlaneFixture, prng: Prng, { resizes = true } = {}): Promise<Swaps> {
    for (const name of ['a0', 'a1', 'b0', 'b1', 'l0', 'l1']) {
      fixture.image(name, CORE_BYTES + MIB);
    }
    fixture.image('scratch', SCRATCH_BYTES);
    for (const n of [0, 1]) {
      const lower = `0 ${CORE} linear ${join(fixture.folder, `l${n}`)} 1024`;
      await fixture.mapper.create({ name: `lower${n}`, table: lower });
    }
    const swap = new Swaps(fixture, prng, resizes);
    await fixture.mapper.create({ name: 'disk', table: swap.table.join('\n') });
    return swap;
  }

  /** One round of whatever may happen to a device while it is in use. */
  async next(): Promise<void> {
    const kind = this.prng.float();
    if (kind < 0.6) await this.#swap();
    else if (kind < 0.75) await this.#pause('disk');
    else if (kind < 0.9) await this.#pause(this.prng.pick(['lower0', 'lower1']));
    else await this.#pauseAll();
    await sleep(systemClock, this.prng.integer(0, 20));
  }

  /** Another table with the same bytes, copied while the device is suspended. */
  async #swap(): Promise<void> {
    const { mapper, folder } = this.fixture;
    this.round += 1;
    const core = coreTable(this.prng, folder, this.round);
    const table = [...core, ...(this.#resizes ? scratchTable(this.prng, folder) : [])];
    await mapper.load('disk', table.join('\n'));
    await mapper.suspend('disk', { noflush: this.prng.chance(0.3) });
    await this.#expectSilence();
    await mapper.create({ name: 'from', table: this.table.join('\n') });
    await mapper.create({ name: 'to', table: core.join('\n') });
    {
      await using from = mapper.open('from');
      await using to = mapper.open('to');
      const data = await from.read({ offsetBytes: 0, lengthBytes: CORE_BYTES });
      await to.write({ offsetBytes: 0, data });
      // What was left behind must never be seen again.
      await from.write({ offsetBytes: 0, data: new Uint8Array(CORE_BYTES).fill(0xee) });
    }
    await mapper.resume('disk');
    await mapper.remove('from');
    await mapper.remove('to');
    this.table = core;
  }

  async #pause(name: string): Promise<void> {
    const { mapper } = this.fixture;
    await mapper.suspend(name);
    if (name === 'disk') await this.#expectSilence();
    await sleep(systemClock, this.prng.integer(0, 10));
    await mapper.resume(name);
  }

  /** Several devices of a stack at a time, started again in any order. */
  async #pauseAll(): Promise<void> {
    const { mapper } = this.fixture;
    const names = ['disk', 'lower0', 'lower1'];
    await Promise.all(names.map((name) => mapper.suspend(name)));
    await this.#expectSilence();
    const order = this.prng.chance(0.5) ? names : names.reverse();
    for (const name of order) {
      await mapper.resume(name);
      if (this.prng.chance(0.5)) await sleep(systemClock, 1);
    }
  }

  /** While the device is suspended no byte of its files changes. */
  async #expectSilence(): Promise<void> {
    const before = this.#contents();
    await sleep(systemClock, this.prng.integer(1, 8));
    expect(this.#contents().equals(before)).toBe(true);
  }

  #contents(): Buffer {
    const names = ['a0', 'a1', 'b0', 'b1', 'l0', 'l1', 'scratch'];
    return Buffer.concat(names.map((name) => readFileSync(join(this.fixture.folder, name))));
  }
}
