/** What a connection leaves behind: no descriptor, no memory, no thread, and the right counts. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { createPrng } from '../../src/base/prng.ts';
import { Command } from '../../src/protocols/nbd/constants.ts';
import { loadSystem } from '../../src/system/index.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import { bytes } from './plane-cases.ts';
import { FOLDERS, mainLinear, openDescriptorCount, PlaneFixture } from './plane-fixture.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;

const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i += 1) await sleep(systemClock, 10);
  expect(condition(), what).toBe(true);
}

async function startDisk(options: Parameters<typeof PlaneFixture.start>[0] = {}) {
  const fixture = await PlaneFixture.start(options);
  const table = `0 ${(4 * MIB) / SECTOR} linear ${fixture.image('disk.img', 4 * MIB, 1)} 0`;
  await fixture.mapper.create({ name: 'disk', table });
  return fixture;
}

describeUnless(obstacle)('counts', () => {
  const SIZE_BYTES = 4 * MIB;

  /** Rows for a thread, for the main thread and for nobody, on top of another device. */
  async function startStack(folder: string, threads?: false): Promise<PlaneFixture> {
    const own = threads === false ? { threads } : {};
    const fixture = await PlaneFixture.start({ folder, targets: [mainLinear], ...own });
    const [a, b] = [fixture.image('a.img', 2 * MIB, 1), fixture.image('b.img', 2 * MIB, 2)];
    const lower = [`0 4096 linear ${a} 0`, `4096 4096 linear ${b} 0`];
    await fixture.mapper.create({ name: 'lower', table: lower.join('\n') });
    const table = [
      '0 2048 linear mapper/lower 0',
      '2048 2048 main-linear mapper/lower 2048',
      '4096 2048 linear mapper/lower 4096',
      '6144 1024 zero',
      '7168 1024 error',
    ];
    await fixture.mapper.create({ name: 'disk', table: table.join('\n') });
    return fixture;
  }

  function countsOf({ mapper }: PlaneFixture) {
    return ['disk', 'lower'].map((name) => {
      const { readMs, writeMs, flushMs, discardMs, ...counts } = mapper.statistics(name);
      return counts;
    });
  }

  /** One request after the other; of writes only those that are not written as they arrive. */
  async function use(fixture: PlaneFixture, seed: number) {
    const prng = createPrng(seed);
    const client = await fixture.connect();
    for (let count = 0; count < 500; count += 1) {
      const isRead = prng.chance(0.5);
      const limit = isRead && prng.chance(0.3) ? MIB : 127 * KIB;
      const length = prng.integer(1, limit / SECTOR) * SECTOR;
      const offset = prng.integer(0, (SIZE_BYTES - length) / SECTOR) * SECTOR;
      if (isRead) await client.read(offset, length);
      else await client.write(offset, new Uint8Array(length));
      if (prng.chance(0.02)) await client.request({ command: Command.flush });
      if (prng.chance(0.02)) await client.request({ command: Command.trim, offset, length });
    }
    return client;
  }

  test.each(Object.entries(FOLDERS))('each request once, on files on %s', async (_, folder) => {
    await using reference = await startStack(folder, false);
    await use(reference, 5);
    await using fixture = await startStack(folder);
    const client = await use(fixture, 5);
    expect(fixture.service.threadCount).toBe(1);
    expect(countsOf(fixture)).toEqual(countsOf(reference));
    // Nor does anything change when the thread's counters become the devices' own.
    await client.disconnect();
    await until('the thread is free', () => fixture.service.threadCount === 0);
    expect(countsOf(fixture)).toEqual(countsOf(reference));
  });

  test('a write that was written as it arrived counts with its sectors', async () => {
    await using fixture = await startStack(FOLDERS.memory);
    const client = await fixture.connect();
    const lengths = [128 * KIB, 512 * KIB, MIB];
    for (const length of lengths) await client.write(0, bytes(length, 1));
    const sectors = lengths.reduce((sum, length) => sum + length / SECTOR, 0);
    const [disk, lower] = countsOf(fixture);
    expect(disk).toMatchObject({ writeSectors: sectors, inFlight: 0 });
    expect(lower).toMatchObject({ writeSectors: sectors, inFlight: 0 });
    expect(disk!.writes).toBeGreaterThanOrEqual(lengths.length);
  });

  test('a write that goes to the main thread after all counts once', async () => {
    await using fixture = await startStack(FOLDERS.memory);
    const client = await fixture.connect();
    // Its last sectors are on a row for the main thread.
    for (let i = 0; i < 10; i += 1) await client.write(512 * KIB, bytes(600 * KIB, 1));
    expect(countsOf(fixture)[0]).toMatchObject({ writes: 10, writeSectors: 12_000, inFlight: 0 });
  });
});

describeUnless(obstacle)('connections that come and go', () => {
  test('leave no descriptor, no thread and no memory', async () => {
    await using fixture = await startDisk();
    const round = async (index: number) => {
      const address = index % 2 === 0 ? fixture.unix : fixture.tcp;
      const client = await fixture.connect({ address });
      await client.write(0, bytes(MIB, index));
      await client.read(0, MIB);
      const held = [client.read(0, MIB), client.request({ command: Command.flush })];
      if (index % 3 === 0) await client.disconnect();
      else client.destroy();
      await Promise.allSettled(held);
      fixture.clients.length = 0;
    };
    const settle = async () => {
      await until('every thread is free', () => fixture.service.connectionCount === 0);
      await sleep(systemClock, 100);
    };
    for (let index = 0; index < 40; index += 1) await round(index);
    await settle();
    const before = { fds: openDescriptorCount(), bytes: process.memoryUsage().rss };
    for (let index = 0; index < 200; index += 1) await round(index);
    await settle();
    expect(openDescriptorCount()).toBe(before.fds);
    expect(process.memoryUsage().rss - before.bytes).toBeLessThan(64 * MIB);
    expect(fixture.mapper.statistics('disk').inFlight).toBe(0);
    expect(fixture.mapper.info('disk').openCount).toBe(0);
    expect(fixture.reasons.filter((reason) => reason.includes('thread died'))).toEqual([]);
  });

  test('leave no memory when they filled the largest buffers', async () => {
    await using fixture = await PlaneFixture.start();
    const table = `0 ${(64 * MIB) / SECTOR} linear ${fixture.image('disk.img', 64 * MIB)} 0`;
    await fixture.mapper.create({ name: 'disk', table });
    const round = async () => {
      const clients = await Promise.all([1, 2, 3, 4].map(() => fixture.connect()));
      const data = new Uint8Array(32 * MIB);
      await Promise.all(clients.map((client) => client.write(0, data)));
      for (const client of clients) await client.disconnect();
      fixture.clients.length = 0;
    };
    await round();
    const before = process.memoryUsage().rss;
    for (let index = 0; index < 5; index += 1) await round();
    await until('every thread is free', () => fixture.service.connectionCount === 0);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MIB);
  });

  test('find threads until there are none, and the main thread then', async () => {
    await using fixture = await startDisk({ threads: 2 });
    const clients = await Promise.all([1, 2, 3, 4, 5].map(() => fixture.connect()));
    expect(fixture.service.threadCount).toBe(2);
    const data = bytes(MIB, 9);
    await clients[4]!.write(0, data);
    for (const client of clients) {
      expect(Buffer.compare((await client.read(0, MIB)).data, data)).toBe(0);
    }
    for (const client of clients) await client.disconnect();
    await until('every thread is free', () => fixture.service.threadCount === 0);
    const again = await fixture.connect();
    expect(fixture.service.threadCount).toBe(1);
    expect((await again.read(0, SECTOR)).error).toBe(0);
  });
});

describeUnless(obstacle)('a thread that dies', () => {
  test('takes its connection along and nothing else', async () => {
    const threads: Worker[] = [];
    const note = (worker: Worker) => threads.push(worker);
    process.on('worker', note);
    await using fixture = await startDisk();
    try {
      const other = await fixture.connect();
      for (let round = 0; round < 10; round += 1) {
        const client = await fixture.connect();
        const thread = threads[threads.length - 2]!;
        // It serves: nothing survives the end of a thread inside koffi's own start.
        expect((await client.read(0, SECTOR)).error).toBe(0);
        const load = keepBusy(client);
        await sleep(systemClock, 30);
        const suspending = round % 2 === 0 ? fixture.mapper.suspend('disk') : null;
        // What the system's memory killer would do to it, as far as the process is concerned.
        await thread.terminate();
        await suspending;
        if (suspending) await fixture.mapper.resume('disk');
        await load;
        await client.ended;
        expect((await other.read(0, SECTOR)).error).toBe(0);
      }
      expect(fixture.reasons.length).toBeGreaterThanOrEqual(10);
      expect(fixture.mapper.statistics('disk').inFlight).toBe(0);
    } finally {
      process.off('worker', note);
    }
  });

  async function keepBusy(client: Awaited<ReturnType<PlaneFixture['connect']>>): Promise<void> {
    const run = async () => {
      for (;;) await client.write(0, bytes(64 * KIB, 1));
    };
    await Promise.allSettled([run(), run(), run(), run()]);
  }
});

describeUnless(obstacle)('the end of the process', () => {
  const script = (delayMs: number) => `
    const { DeviceMapper, serveNbd } = await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)});
    await serveNbd(new DeviceMapper(), { host: 'localhost', port: 0 });
    setTimeout(() => process.exit(7), ${delayMs});`;

  test('while a thread is being loaded is what was asked for', () => {
    for (let delayMs = 10; delayMs < 110; delayMs += 10) {
      const words = ['--input-type=module', '-e', script(delayMs)];
      const cwd = fileURLToPath(new URL('../..', import.meta.url));
      const { status, stderr } = spawnSync(process.execPath, words, { cwd, encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 7, stderr: '' });
    }
  });
});
