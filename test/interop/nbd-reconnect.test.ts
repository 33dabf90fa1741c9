/** Servers that are killed, restarted and stopped under load: no acknowledged write is lost, no bio is forgotten, nobody else notices. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { Errno } from '../../src/base/errors.ts';
import type { Prng } from '../../src/base/prng.ts';
import { BioFlag, Op } from '../../src/core/bio.ts';
import type { NbdDevice } from '../../src/devices/nbd/device.ts';
import { runBio } from '../../src/testing/device-io.ts';
import { withSeed } from '../../src/testing/seed.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { openDevice, RealServer } from './nbd-peers.ts';
import { temporaryFolder } from './serve-process.ts';

const BLOCK_SECTORS = 8;
const BLOCK_COUNT = 512;

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** Writers that each own some blocks, and know after every write what the block must hold. */
class Load {
  readonly errors: number[] = [];
  doneCount = 0;
  readonly #device: NbdDevice;
  /** What was acknowledged last; null: a write failed, so the block holds the old or the new. */
  readonly #values: (number | null)[] = new Array<number>(BLOCK_COUNT).fill(0);
  #stopped = false;

  constructor(device: NbdDevice) {
    this.#device = device;
  }

  async run(prng: Prng, writerCount: number): Promise<void> {
    const perWriter = BLOCK_COUNT / writerCount;
    await Promise.all(
      Array.from({ length: writerCount }, (_, writer) =>
        this.#write(prng, writer * perWriter, perWriter),
      ),
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when so many more bios have ended: what was in flight at the last loss is among them. */
  async progress(count: number): Promise<void> {
    const goal = this.doneCount + count;
    while (this.doneCount < goal) await sleep(systemClock, 5);
  }

  async #write(prng: Prng, firstBlock: number, blockCount: number): Promise<void> {
    while (!this.#stopped) {
      const block = firstBlock + prng.integer(0, blockCount - 1);
      if (prng.chance(0.3)) await this.check(block);
      else await this.#writeBlock(block, prng.integer(1, 255));
      this.doneCount += 1;
    }
  }

  async #writeBlock(block: number, value: number): Promise<void> {
    const data = new Uint8Array(BLOCK_SECTORS * 512).fill(value);
    const range = { sector: block * BLOCK_SECTORS, sectorCount: BLOCK_SECTORS };
    const errno = await runBio(this.#device, { op: Op.write, ...range, data });
    this.#values[block] = errno === 0 ? value : null;
    if (errno !== 0) this.errors.push(errno);
  }

  async check(block: number): Promise<void> {
    const data = new Uint8Array(BLOCK_SECTORS * 512).fill(0xee);
    const range = { sector: block * BLOCK_SECTORS, sectorCount: BLOCK_SECTORS };
    const errno = await runBio(this.#device, { op: Op.read, ...range, data });
    if (errno !== 0) this.errors.push(errno);
    const value = this.#values[block];
    if (errno !== 0 || value === null) return;
    if (data.some((byte) => byte !== value)) {
      throw new Error(`Block ${block} holds ${data[0]}, ${value} was acknowledged`);
    }
  }

  async checkAll(): Promise<void> {
    for (let block = 0; block < BLOCK_COUNT; block += 1) await this.check(block);
  }
}

const fileServer = async (path: string, more: readonly string[] = []) => {
  const image = join(path, 'image');
  writeFileSync(image, new Uint8Array(BLOCK_COUNT * BLOCK_SECTORS * 512));
  return RealServer.nbdkit(path, ['--filter=delay', 'file', image, ...more]);
};

requireTools('nbdkit')('nbdkit killed', () => {
  for (const connectionCount of [1, 4]) {
    test(`with kill -9 again and again under load, ${connectionCount} connections`, () =>
      withSeed(async (prng) => {
        await using server = await fileServer(folder.path);
        await using opened = await openDevice(server.uri(), { connectionCount });
        const load = new Load(opened.device);
        const running = load.run(prng, 16);
        for (let round = 0; round < 6; round += 1) {
          await load.progress(100);
          await sleep(systemClock, prng.integer(0, 200));
          await server.kill();
          await sleep(systemClock, prng.integer(0, 300));
          await server.start();
        }
        await load.progress(100);
        load.stop();
        await running;
        expect(load.errors).toEqual([]);
        // The page cache outlives nbdkit, but that is more than our client may count on.
        expect(await runBio(opened.device, { op: Op.flush })).toBe(Errno.EIO);
        expect(await runBio(opened.device, { op: Op.flush })).toBe(0);
        await load.checkAll();
        expect(load.errors).toEqual([]);
      }));
  }

  test('with SIGTERM: what it refuses while shutting down goes to the next', () =>
    withSeed(async (prng) => {
      const slow = ['delay-write=20ms'];
      await using server = await fileServer(folder.path, slow);
      await using opened = await openDevice(server.uri());
      const load = new Load(opened.device);
      const running = load.run(prng, 16);
      for (let round = 0; round < 3; round += 1) {
        await load.progress(100);
        await server.kill('SIGTERM');
        await server.start();
      }
      await load.progress(100);
      load.stop();
      await running;
      expect(load.errors).toEqual([]);
      await load.checkAll();
    }));

  test('for good: bios end with ETIMEDOUT within the time limit, later ones at once', async () => {
    await using server = await fileServer(folder.path);
    await using opened = await openDevice(server.uri(), { timeoutMs: 900 });
    const { device } = opened;
    await server.kill();
    const start = performance.now();
    const fields = { sector: 0, sectorCount: 8, data: new Uint8Array(4096) };
    expect(await runBio(device, { op: Op.read, ...fields })).toBe(Errno.ETIMEDOUT);
    const tookMs = performance.now() - start;
    expect(tookMs).toBeGreaterThan(600);
    expect(tookMs).toBeLessThan(2500);
    expect(await runBio(device, { op: Op.write, ...fields })).toBe(Errno.EIO);
    await server.start();
    await expect.poll(() => runBio(device, { op: Op.write, ...fields }), { timeout: 8000 }).toBe(0);
  });

  test('and back with another size: fails for good, and says why', async () => {
    await using server = await fileServer(folder.path);
    await using opened = await openDevice(server.uri());
    await server.kill();
    writeFileSync(join(folder.path, 'image'), new Uint8Array(1 << 20));
    await server.start();
    await server.kill();
    const other = await RealServer.nbdkit(folder.path, ['memory', '64K']);
    const fields = { sector: 0, sectorCount: 8, data: new Uint8Array(4096) };
    await expect
      .poll(() => runBio(opened.device, { op: Op.read, ...fields }), { timeout: 8000 })
      .toBe(Errno.ENXIO);
    expect(opened.device.remote.failure!.message).toMatch(/its size was 2097152 bytes .* and is/);
    await other.kill();
  });

  test('stopped, not killed: silence is a loss as well', async () => {
    await using server = await fileServer(folder.path);
    await using opened = await openDevice(server.uri(), { timeoutMs: 900 });
    const fields = { sector: 0, sectorCount: 8, data: new Uint8Array(4096) };
    await server.pause();
    expect(await runBio(opened.device, { op: Op.read, ...fields })).toBe(Errno.ETIMEDOUT);
    server.resume();
    await expect
      .poll(() => runBio(opened.device, { op: Op.read, ...fields }), { timeout: 15_000 })
      .toBe(0);
  });

  test('another device of the process does not notice', async () => {
    await using server = await fileServer(folder.path);
    using other = temporaryFolder();
    await using healthy = await fileServer(other.path);
    await using lost = await openDevice(server.uri(), { timeoutMs: 2000 });
    await using opened = await openDevice(healthy.uri());
    const fields = { sector: 0, sectorCount: 8, data: new Uint8Array(4096) };
    await server.kill();
    const failing = Array.from({ length: 100 }, () =>
      runBio(lost.device, { op: Op.read, ...fields }),
    );
    const tookMs: number[] = [];
    for (let round = 0; round < 300; round += 1) {
      const start = performance.now();
      expect(await runBio(opened.device, { op: Op.read, ...fields })).toBe(0);
      tookMs.push(performance.now() - start);
      await sleep(systemClock, 5);
    }
    // The worst of them says more about the machine than about us.
    expect(tookMs.sort((a, b) => a - b)[280]).toBeLessThan(100);
    expect(new Set(await Promise.all(failing))).toEqual(new Set([Errno.ETIMEDOUT]));
  });
});

requireTools('qemu-nbd')('qemu-nbd killed', () => {
  test('with kill -9 under load: FUA writes are there afterwards', () =>
    withSeed(async (prng) => {
      const image = join(folder.path, 'image');
      writeFileSync(image, new Uint8Array(1 << 20));
      await using server = await RealServer.qemu(folder.path, ['-f', 'raw', image]);
      await using opened = await openDevice(server.uri());
      const last = new Map<number, number>();
      for (let round = 0; round < 200; round += 1) {
        const sector = prng.integer(0, 2047);
        const value = prng.integer(1, 255);
        const data = new Uint8Array(512).fill(value);
        const write = runBio(opened.device, {
          ...{ op: Op.write, sector, sectorCount: 1, data, flags: BioFlag.fua },
        });
        if (round % 50 === 25) await server.kill().then(() => server.start());
        expect(await write).toBe(0);
        last.set(sector, value);
      }
      expect(await runBio(opened.device, { op: Op.flush })).toBe(0);
      for (const [sector, value] of last) {
        const data = new Uint8Array(512);
        await runBio(opened.device, { op: Op.read, sector, sectorCount: 1, data });
        expect(data.every((byte) => byte === value)).toBe(true);
      }
    }));
});
