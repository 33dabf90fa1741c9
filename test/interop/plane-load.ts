/**
 * Load with a model: a client works on a range of its own, remembers every byte that it wrote, and compares all it reads.
 * Requests of one worker never overlap, so each answer is the only right one.
 */

import type { Prng } from '../../src/base/prng.ts';
import { Command, CommandFlag } from '../../src/protocols/nbd/constants.ts';
import type { Answer, NbdClient } from './nbd-client.ts';

export interface LoadOptions {
  client: NbdClient;
  prng: Prng;
  /** The client's own range, where every byte is predicted. */
  start: number;
  content: Uint8Array;
  /** A range that the tests map anew all the time: answers must come, with any of these errors or none. */
  scratch?: { start: number; length: number };
  depth: number;
  maxLength: number;
}

const BLOCK = 512;
const SCRATCH_ERRORS = new Set([0, 5, 22, 28]);

export class Load {
  requestCount = 0;
  errorCount = 0;
  #stopped = false;
  readonly #options: LoadOptions;
  /** Blocks of requests under way. */
  readonly #busy: Uint8Array;
  readonly #runs: Promise<void>[];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#busy = new Uint8Array(options.content.length / BLOCK);
    this.#runs = Array.from({ length: options.depth }, () => this.#run());
  }

  /** Rejects with the first difference. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#runs);
  }

  /** Rejects when something went wrong; for racing with what else the test does. */
  failure(): Promise<never> {
    return new Promise((_, reject) => {
      for (const run of this.#runs) run.catch(reject);
    });
  }

  async #run(): Promise<void> {
    const { prng, scratch } = this.#options;
    while (!this.#stopped) {
      this.requestCount += 1;
      if (scratch && prng.chance(0.2)) await this.#scratch(scratch);
      else await this.#checked();
    }
  }

  async #checked(): Promise<void> {
    const { client, prng, content, start } = this.#options;
    const [at, length] = this.#claim();
    const part = content.subarray(at, at + length);
    try {
      const kind = prng.float();
      if (kind < 0.45) {
        const { data } = must(await client.read(start + at, length), `read at ${start + at}`);
        const wrong = Buffer.compare(data, part) !== 0;
        if (wrong) throw new Error(difference(start + at, data, part));
      } else if (kind < 0.9) {
        prng.fill(part);
        const flags = prng.chance(0.05) ? CommandFlag.fua : 0;
        must(await client.write(start + at, part.slice(), flags), `write at ${start + at}`);
      } else if (kind < 0.97) {
        part.fill(0);
        const zeroes = { command: Command.writeZeroes, offset: start + at, length };
        must(await client.request(zeroes), `zeroes at ${start + at}`);
      } else {
        must(await client.request({ command: Command.flush }), 'flush');
      }
    } finally {
      this.#busy.fill(0, at / BLOCK, (at + length) / BLOCK);
    }
  }

  async #scratch({ start, length }: { start: number; length: number }): Promise<void> {
    const { client, prng, maxLength } = this.#options;
    const count = prng.integer(1, Math.min(length, maxLength) / BLOCK) * BLOCK;
    const offset = start + prng.integer(0, (length - count) / BLOCK) * BLOCK;
    const answer = prng.chance(0.5)
      ? await client.read(offset, count)
      : await client.write(offset, new Uint8Array(count));
    if (!SCRATCH_ERRORS.has(answer.error)) throw new Error(`Error ${answer.error} of scratch`);
    if (answer.error !== 0) this.errorCount += 1;
  }

  /** A free range; small ones often, large ones sometimes. */
  #claim(): [at: number, length: number] {
    const { prng, maxLength, content } = this.#options;
    for (;;) {
      const limit = prng.chance(0.25) ? maxLength : 8 * BLOCK;
      const length = prng.integer(1, limit / BLOCK) * BLOCK;
      const at = prng.integer(0, (content.length - length) / BLOCK) * BLOCK;
      const blocks = this.#busy.subarray(at / BLOCK, (at + length) / BLOCK);
      if (blocks.includes(1)) continue;
      blocks.fill(1);
      return [at, length];
    }
  }
}

function must(answer: Answer, what: string): Answer {
  if (answer.error !== 0) throw new Error(`Error ${answer.error} of ${what}: ${answer.message}`);
  return answer;
}

function difference(offset: number, got: Uint8Array, wanted: Uint8Array): string {
  const first = got.findIndex((byte, index) => byte !== wanted[index]);
  const count = got.reduce((sum, byte, index) => sum + (byte === wanted[index] ? 0 : 1), 0);
  return `Read at ${offset} of ${got.length} bytes: ${count} bytes differ, the first at ${offset + first}`;
}
