/**
 * The data plane under load: tables swapped, devices suspended and resumed, while several clients read, write and compare.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import type { Prng } from '../../src/base/prng.ts';
import type { TargetType } from '../../src/core/target.ts';
import { Command, NbdError } from '../../src/protocols/nbd/constants.ts';
import { loadSystem } from '../../src/system/index.ts';
import { linear } from '../../src/targets/linear.ts';
import { withSeed } from '../../src/testing/seed.ts';
import { describeUnless, requireTools } from '../../src/testing/tools.ts';
import type { ReplyMode } from './nbd-client.ts';
import { bytes } from './plane-cases.ts';
import { type FixtureOptions, FOLDERS, mainLinear, PlaneFixture } from './plane-fixture.ts';
import { Load } from './plane-load.ts';
import { CORE_BYTES, SCRATCH_BYTES, Swaps } from './plane-swaps.ts';
import { succeed } from './serve-process.ts';

const ROUNDS = 60;
const KIB = 1024;

const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;

const start = (options: FixtureOptions) =>
  PlaneFixture.start({ targets: [mainLinear], ...options });

/** Four connections, each with a quarter of the core to itself. */
async function startLoads(fixture: PlaneFixture, prng: Prng): Promise<Load[]> {
  const share = CORE_BYTES / 4;
  const modes: ReplyMode[] = ['simple', 'structured', 'extended', 'structured'];
  const scratch = { start: CORE_BYTES, length: SCRATCH_BYTES };
  const loads: Load[] = [];
  for (const [index, mode] of modes.entries()) {
    const address = index % 2 === 0 ? fixture.unix : fixture.tcp;
    const client = await fixture.connect({ address, mode });
    const own = { start: index * share, content: new Uint8Array(share) };
    loads.push(new Load({ client, prng, ...own, scratch, depth: 8, maxLength: 256 * KIB }));
  }
  return loads;
}

describeUnless(obstacle)('tables swapped under load', () => {
  describe.each(Object.entries(FOLDERS))('images on a file system that is %s', (_, folder) => {
    test.each<[string, FixtureOptions]>([
      ['threads', {}],
      ['one thread and the main thread', { threads: 1 }],
      ['the main thread', { threads: false }],
    ])('nothing is lost, on %s', async (_name, options) => {
      await withSeed(async (prng) => {
        await using fixture = await start({ folder, ...options });
        const swaps = await Swaps.start(fixture, prng);
        const loads = await startLoads(fixture, prng);
        const failed = Promise.race(loads.map((load) => load.failure())).catch(
          async (error: unknown) => {
            await sleep(systemClock, 50);
            throw new Error(`${String(error)}; connections ended: ${fixture.reasons.join(', ')}`);
          },
        );
        for (let round = 0; round < ROUNDS; round += 1) await Promise.race([swaps.next(), failed]);
        await Promise.race([Promise.all(loads.map((load) => load.stop())), failed]);
        for (const client of fixture.clients) await client.disconnect();
        const requests = loads.reduce((sum, load) => sum + load.requestCount, 0);
        expect(requests).toBeGreaterThan(500);
      });
    });
  });
});

describeUnless(obstacle)(
  'a connection through changes that a thread cannot follow',
  { retry: 0 },
  () => {
    const MIB = 1024 * KIB;
    const SECTORS = MIB / 512;

    test('a device below gets smaller than the table above, and large again', async () => {
      await using fixture = await start({});
      const path = fixture.image('disk.img', MIB, 1);
      const content = readFileSync(path);
      await fixture.mapper.create({ name: 'lower', table: `0 ${SECTORS} linear ${path} 0` });
      await fixture.mapper.create({ name: 'disk', table: `0 ${SECTORS} linear mapper/lower 0` });
      const client = await fixture.connect();
      const expectRead = async (offset: number) => {
        const { error, data } = await client.read(offset, 64 * KIB);
        expect(error).toBe(0);
        expect(Buffer.compare(data, content.subarray(offset, offset + 64 * KIB))).toBe(0);
      };
      for (let round = 0; round < 3; round += 1) {
        await expectRead(MIB - 64 * KIB);
        await fixture.mapper.load('lower', `0 ${SECTORS / 2} linear ${path} 0`);
        await fixture.mapper.resume('lower');
        expect((await client.read(MIB - 64 * KIB, 64 * KIB)).error).toBe(NbdError.EIO);
        await expectRead(0);
        await fixture.mapper.load('lower', `0 ${SECTORS} linear ${path} 0`);
        await fixture.mapper.resume('lower');
      }
      await client.disconnect();
      expect(fixture.reasons).toEqual([]);
    });

    test('a long write that begins on one table and ends on another', async () => {
      await using fixture = await start({});
      const [a, b] = [fixture.image('a.img', MIB, 1), fixture.image('b.img', MIB, 2)];
      await fixture.mapper.create({ name: 'disk', table: `0 ${SECTORS} linear ${a} 0` });
      for (const mode of ['simple', 'extended'] as const) {
        const client = await fixture.connect({ mode });
        const data = bytes(MIB, 3);
        const half = data.subarray(0, MIB / 2);
        const written = client.request({ command: Command.write, data }, half);
        const isStreamed = () =>
          readFileSync(a)
            .subarray(0, 64 * KIB)
            .equals(half.subarray(0, 64 * KIB));
        for (let i = 0; i < 200 && !isStreamed(); i += 1) await sleep(systemClock, 5);
        expect(isStreamed()).toBe(true);
        await fixture.mapper.load('disk', `0 ${SECTORS} linear ${b} 0`);
        await fixture.mapper.resume('disk');
        client.socket.write(data.subarray(MIB / 2));
        expect((await written).error).toBe(0);
        expect(readFileSync(b).equals(data)).toBe(true);
        await client.disconnect();
        fixture.image('a.img', MIB, 1);
        fixture.image('b.img', MIB, 2);
        await fixture.mapper.load('disk', `0 ${SECTORS} linear ${a} 0`);
        await fixture.mapper.resume('disk');
      }
    });

    test('one of two suspended devices of a stack that runs again', async () => {
      await using fixture = await start({});
      const path = fixture.image('disk.img', MIB, 1);
      await fixture.mapper.create({ name: 'lower', table: `0 ${SECTORS} linear ${path} 0` });
      await fixture.mapper.create({ name: 'disk', table: `0 ${SECTORS} linear mapper/lower 0` });
      const client = await fixture.connect();
      for (const order of [
        ['disk', 'lower'],
        ['lower', 'disk'],
      ]) {
        for (const name of order) await fixture.mapper.suspend(name);
        await fixture.mapper.resume(order[0]!);
        const before = readFileSync(path);
        const data = bytes(8 * KIB, order[0]!.length);
        let answered = false;
        const written = client.write(0, data).finally(() => {
          answered = true;
        });
        await sleep(systemClock, 50);
        expect(answered).toBe(false);
        expect(readFileSync(path).equals(before)).toBe(true);
        await fixture.mapper.resume(order[1]!);
        expect((await written).error).toBe(0);
        expect(readFileSync(path).subarray(0, data.length).equals(data)).toBe(true);
      }
    });

    test("a target of one's own in the place of a built-in one", async () => {
      const mirrored: TargetType = {
        ...linear,
        create(args, context) {
          const device = args.open(args.word('device'));
          args.word('offset');
          return {
            map(bio) {
              bio.device = device;
              bio.sector = context.length - bio.sector - bio.sectorCount;
              return 'remapped';
            },
            table: () => `${device.operand} 0`,
            devices: () => [{ device, startSectors: 0, lengthSectors: context.length }],
          };
        },
      };
      await using fixture = await start({ targets: [mirrored] });
      const path = fixture.image('disk.img', MIB, 1);
      await fixture.mapper.create({ name: 'disk', table: `0 ${SECTORS} linear ${path} 0` });
      const client = await fixture.connect();
      const { data } = await client.read(0, 4 * KIB);
      expect(Buffer.compare(data, readFileSync(path).subarray(MIB - 4 * KIB))).toBe(0);
      expect(fixture.service.threadCount).toBe(1);
    });

    test('a file that is opened for writing after all, by another device', async () => {
      await using fixture = await start({});
      const path = fixture.image('disk.img', MIB, 1);
      const content = readFileSync(path);
      const table = `0 ${SECTORS} linear ${path} 0`;
      await fixture.mapper.create({ name: 'disk', table, readOnly: true });
      const client = await fixture.connect();
      const reads = Array.from({ length: 200 }, (_, index) =>
        client.read(index * 4 * KIB, 4 * KIB),
      );
      await fixture.mapper.create({ name: 'other', table });
      const writer = await fixture.connect({ exportName: 'other' });
      expect((await writer.write(0, content.subarray(0, 4 * KIB))).error).toBe(0);
      await writer.disconnect();
      for (const [index, read] of reads.entries()) {
        const { error, data } = await read;
        expect(error).toBe(0);
        const at = index * 4 * KIB;
        expect(Buffer.compare(data, content.subarray(at, at + 4 * KIB))).toBe(0);
      }
      expect((await client.write(0, content.subarray(0, 512))).error).toBe(NbdError.EPERM);
    });
  },
);

requireTools(
  'fio',
  'nbdcopy',
  'cmp',
)('tables swapped below real clients', () => {
  test('fio finds what it wrote', async () => {
    await withSeed(async (prng) => {
      await using fixture = await start({});
      const swaps = await Swaps.start(fixture, prng);
      const job = ['--name=job', '--ioengine=nbd', `--uri=${fixture.uri()}`, '--rw=randrw'];
      const load = ['--bs=4k-128k', '--bsrange=4k-128k', '--iodepth=16', `--size=${CORE_BYTES}`];
      const check = [
        '--verify=crc32c',
        '--verify_state_save=0',
        '--verify_fatal=1',
        '--loops=40',
        '--thread',
      ];
      const state = { ended: false };
      const fio = succeed('fio', ...job, ...load, ...check).finally(() => {
        state.ended = true;
      });
      fio.catch(() => {});
      while (!state.ended) await swaps.next();
      await fio;
      expect(swaps.round).toBeGreaterThan(3);
      expect(fixture.reasons).toEqual([]);
    });
  });

  test('nbdcopy copies what is there, in and out', async () => {
    await withSeed(async (prng) => {
      await using fixture = await start({});
      const swaps = await Swaps.start(fixture, prng, { resizes: false });
      const image = fixture.image('copied', CORE_BYTES, 77);
      const copy = fixture.image('copy', 0);
      for (let round = 0; round < 5; round += 1) {
        const state = { ended: false };
        const both = (async () => {
          const options = ['--connections=4', '--requests=16', '--request-size=65536'];
          await succeed('nbdcopy', ...options, image, fixture.uri());
          await succeed('nbdcopy', ...options, fixture.uri(), copy);
        })().finally(() => {
          state.ended = true;
        });
        both.catch(() => {});
        while (!state.ended) await swaps.next();
        await both;
        await succeed('cmp', `--bytes=${CORE_BYTES}`, image, copy);
      }
      expect(fixture.reasons).toEqual([]);
    });
  });
});
