/** What may happen to an encrypted device in use: its key wiped and set again, another key, cipher or place for the same bytes. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { Prng } from '../../src/base/prng.ts';
import type { PlaneFixture } from './plane-fixture.ts';

export const CORE_BYTES = 2 * 1024 * 1024;
const CORE = CORE_BYTES / 512;
const HALF = CORE / 2;
/** How much of a block is looked for: chance does not repeat it. */
const SIGN_BYTES = 16;

interface Shape {
  cipher: string;
  keyBytes: number;
  options: string;
}

const SHAPES: readonly Shape[] = [
  { cipher: 'aes-xts-plain64', keyBytes: 64, options: '' },
  { cipher: 'aes-xts-plain64', keyBytes: 32, options: ' 2 allow_discards no_read_workqueue' },
  { cipher: 'aes-cbc-essiv:sha256', keyBytes: 32, options: '' },
  { cipher: 'camellia-xts-plain64be', keyBytes: 64, options: '' },
];

export class CryptSwaps {
  readonly #fixture: PlaneFixture;
  readonly #prng: Prng;
  #round = 0;
  #keyHex = '';
  #table: string[] = [];

  private constructor(fixture: PlaneFixture, prng: Prng) {
    this.#fixture = fixture;
    this.#prng = prng;
  }

  /** The device `disk` over noise. */
  static async start(fixture: PlaneFixture, prng: Prng): Promise<CryptSwaps> {
    const swaps = new CryptSwaps(fixture, prng);
    for (const name of ['a0', 'a1', 'b0', 'b1']) {
      const seed = prng.integer(0, 2 ** 31);
      fixture.image(name, CORE_BYTES, seed);
    }
    for (const n of [0, 1]) {
      const lower = `0 ${CORE} linear ${join(fixture.folder, `b${n}`)} 0`;
      await fixture.mapper.create({ name: `lower${n}`, table: lower });
    }
    swaps.#table = swaps.#newTable();
    await fixture.mapper.create({ name: 'disk', table: swaps.#table.join('\n') });
    return swaps;
  }

  async next(): Promise<void> {
    if (this.#prng.chance(0.5)) await this.#changeKey();
    else await this.#swap();
    await sleep(systemClock, this.#prng.integer(0, 20));
  }

  /** Wiped, and set to the same key again: until then the device cannot resume. */
  async #changeKey(): Promise<void> {
    const { mapper } = this.#fixture;
    await mapper.suspend('disk', { noflush: this.#prng.chance(0.3) });
    const before = this.#contents();
    for (const sector of this.#rowStarts()) {
      await mapper.message('disk', ['key', 'wipe'], { sector });
    }
    await expect(mapper.resume('disk')).rejects.toMatchObject({ code: 'EAGAIN' });
    for (const sector of this.#rowStarts()) {
      await mapper.message('disk', ['key', 'set', this.#keyHex], { sector });
    }
    await sleep(systemClock, this.#prng.integer(0, 5));
    expect(this.#contents().equals(before)).toBe(true);
    await mapper.resume('disk');
  }

  /** Another table with the same bytes, copied while the device is suspended. */
  async #swap(): Promise<void> {
    const { mapper } = this.#fixture;
    const table = this.#newTable();
    await mapper.load('disk', table.join('\n'));
    await mapper.suspend('disk');
    await mapper.create({ name: 'from', table: this.#table.join('\n') });
    await mapper.create({ name: 'to', table: table.join('\n') });
    {
      await using from = mapper.open('from');
      await using to = mapper.open('to');
      const data = await from.read({ offsetBytes: 0, lengthBytes: CORE_BYTES });
      await to.write({ offsetBytes: 0, data });
      const noise = this.#prng.fill(new Uint8Array(CORE_BYTES));
      // What was left behind must never be seen again.
      await from.write({ offsetBytes: 0, data: noise });
    }
    await mapper.resume('disk');
    await mapper.remove('from');
    await mapper.remove('to');
    this.#table = table;
  }

  #newTable(): string[] {
    this.#round += 1;
    const { folder } = this.#fixture;
    const side = this.#round % 2;
    const shape = this.#prng.pick(SHAPES);
    const { cipher, keyBytes, options } = shape;
    this.#keyHex = Buffer.from(this.#prng.fill(new Uint8Array(keyBytes))).toString('hex');
    const place = this.#prng.pick([join(folder, `a${side}`), `mapper/lower${side}`]);
    const row = (start: number, length: number, ivOffset: number, offset: number) =>
      `${start} ${length} crypt ${cipher} ${this.#keyHex} ${ivOffset} ${place} ${offset}${options}`;
    if (this.#prng.chance(0.5)) return [row(0, CORE, 0, 0)];
    return [row(0, HALF, 77, HALF), row(HALF, HALF, HALF, 0)];
  }

  #rowStarts(): number[] {
    return this.#table.map((line) => Number(line.split(' ', 1)[0]));
  }

  #contents(): Buffer {
    const names = ['a0', 'a1', 'b0', 'b1'];
    return Buffer.concat(names.map((name) => readFileSync(join(this.#fixture.folder, name))));
  }

  /** Blocks of the images that begin as some block of `plain` does. */
  plaintextBlocks(plain: Uint8Array): number[] {
    const sign = (bytes: Uint8Array, at: number) =>
      Buffer.from(bytes.subarray(at, at + SIGN_BYTES)).toString('latin1');
    const known = new Set<string>();
    for (let at = 0; at < plain.length; at += 512) known.add(sign(plain, at));
    const contents = this.#contents();
    return Array.from({ length: contents.length / 512 }, (_, block) => block).filter((block) =>
      known.has(sign(contents, block * 512)),
    );
  }
}
