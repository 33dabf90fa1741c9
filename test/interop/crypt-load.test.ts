/** Encrypted devices under load: keys wiped and set, tables swapped, while clients read, write and compare; and no plaintext on the disk behind them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Command } from '../../src/protocols/nbd/constants.ts';
import { loadSystem } from '../../src/system/index.ts';
import { withSeed } from '../../src/testing/seed.ts';
import { describeUnless, requireTools } from '../../src/testing/tools.ts';
import { CORE_BYTES, CryptSwaps } from './crypt-swaps.ts';
import type { ReplyMode } from './nbd-client.ts';
import { type FixtureOptions, PlaneFixture } from './plane-fixture.ts';
import { Load } from './plane-load.ts';
import { run } from './serve-process.ts';

const ROUNDS = 40;
const KIB = 1024;
const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;

describeUnless(obstacle)('an encrypted device under load', () => {
  test.each<[string, FixtureOptions]>([
    ['threads', {}],
    ['the main thread', { threads: false }],
  ])('nothing is lost and nothing is plain on the disk, on %s', async (_, options) => {
    await withSeed(async (prng) => {
      await using fixture = await PlaneFixture.start(options);
      const swaps = await CryptSwaps.start(fixture, prng);
      const share = CORE_BYTES / 3;
      const size = Math.floor(share / 512) * 512;
      const loads: Load[] = [];
      const modes: ReplyMode[] = ['simple', 'structured', 'extended'];
      for (const [index, mode] of modes.entries()) {
        const client = await fixture.connect({ mode });
        // Where nobody wrote is noise.
        const { data } = await client.read(index * size, size);
        const own = { start: index * size, content: Uint8Array.from(data) };
        loads.push(new Load({ client, prng, ...own, depth: 8, maxLength: 256 * KIB }));
      }
      const failed = Promise.race(loads.map((load) => load.failure()));
      for (let round = 0; round < ROUNDS; round += 1) await Promise.race([swaps.next(), failed]);
      await Promise.race([Promise.all(loads.map((load) => load.stop())), failed]);
      const [first] = fixture.clients;
      await first!.request({ command: Command.flush });
      const { data: plain } = await first!.read(0, CORE_BYTES);
      expect(swaps.plaintextBlocks(plain)).toEqual([]);
      for (const client of fixture.clients) await client.disconnect();
      expect(fixture.reasons).toEqual([]);
    });
  });
});

requireTools('fio')('an encrypted device under fio', () => {
  test('what fio writes it reads again through every change of the key', async () => {
    await withSeed(async (prng) => {
      await using fixture = await PlaneFixture.start();
      const swaps = await CryptSwaps.start(fixture, prng);
      const jobs = [0, 1].map((index) => {
        const output = join(fixture.folder, `fio-${index}`);
        return { output, ended: runFio(fixture.uri(), output, index) };
      });
      const state = { isOver: false };
      const all = Promise.all(jobs.map(({ ended }) => ended)).finally(() => {
        state.isOver = true;
      });
      while (!state.isOver) await swaps.next();
      const results = await all;
      const said = jobs.map(({ output }) => readFileSync(output, 'latin1')).join('');
      expect({ statuses: results.map(({ status }) => status), said }).toMatchObject({
        statuses: [0, 0],
      });
      const client = await fixture.connect();
      const { data } = await client.read(0, CORE_BYTES);
      expect(Buffer.from(data).includes(PATTERN)).toBe(true);
      for (const name of ['a0', 'a1', 'b0', 'b1']) {
        expect(readFileSync(join(fixture.folder, name)).includes(PATTERN)).toBe(false);
      }
      await client.disconnect();
    });
  });
});

const PATTERN = 'PLAINTEXT-IS-NOT-TO-BE-SEEN';

/** Writes its half again and again and verifies it. */
function runFio(uri: string, output: string, index: number) {
  const half = CORE_BYTES / 2;
  return run(
    'fio',
    ...['--name=job', '--ioengine=nbd', `--uri=${uri}`, `--offset=${index * half}`],
    ...[`--size=${half}`, `--io_size=${4 * half}`, '--rw=randwrite', '--iodepth=8'],
    ...['--bsrange=4k-128k', '--bs_unaligned=0', '--verify=crc32c', '--verify_fatal=1'],
    '--verify_state_save=0',
    ...[`--verify_pattern="${PATTERN}"`, '--loops=6', `--output=${output}`],
  );
}
