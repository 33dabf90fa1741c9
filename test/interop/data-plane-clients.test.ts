/** Clients that do not behave, and files that do not: nobody else may notice. */

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { createPrng } from '../../src/base/prng.ts';
import { Command, NbdError } from '../../src/protocols/nbd/constants.ts';
import { loadSystem } from '../../src/system/index.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import { until } from './daemon-rig.ts';
import type { NbdClient, ReplyMode } from './nbd-client.ts';
import { bytes } from './plane-cases.ts';
import { FOLDERS, PlaneFixture } from './plane-fixture.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;
const DISK_BYTES = 16 * MIB;
const SUSPEND_LIMIT_MS = 100;
/** For a machine that others use: nobody was held up if this was met once. */
const TRIES = 5;

const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;
const MODES: ReplyMode[] = ['simple', 'structured', 'extended'];

async function startDisk(options: Parameters<typeof PlaneFixture.start>[0] = {}) {
  const fixture = await PlaneFixture.start(options);
  const path = fixture.image('disk.img', DISK_BYTES, 1);
  const table = `0 ${DISK_BYTES / SECTOR} linear ${path} 0`;
  await fixture.mapper.create({ name: 'disk', table });
  return { fixture, path, content: readFileSync(path) };
}

async function timeOf(action: () => Promise<unknown>): Promise<number> {
  const startMs = systemClock.nowMs();
  await action();
  return systemClock.nowMs() - startMs;
}

describeUnless(obstacle)('a client that takes no answers', () => {
  const transports = ['unix', 'tcp'] as const;

  /** Asks for far more than sockets hold, and lets the thread run into that. */
  async function startStuck(fixture: PlaneFixture, transport: (typeof transports)[number]) {
    const client = await fixture.connect({ address: fixture[transport] });
    client.pause();
    const reads = Array.from({ length: 48 }, (_, index) =>
      client.read((index % 16) * MIB, index % 2 === 0 ? MIB : 128 * KIB),
    );
    await sleep(systemClock, 50);
    return { client, reads };
  }

  test.each(transports)('over %s does not hold up a suspend', async (transport) => {
    const { fixture, content } = await startDisk();
    await using _ = fixture;
    const times: number[] = [];
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const { client, reads } = await startStuck(fixture, transport);
      times.push(await timeOf(() => fixture.mapper.suspend('disk')));
      await fixture.mapper.resume('disk');
      client.resume();
      for (const [index, read] of reads.entries()) {
        const start = (index % 16) * MIB;
        const { data } = await read;
        expect(Buffer.compare(data, content.subarray(start, start + data.length))).toBe(0);
      }
      await client.disconnect();
    }
    expect(Math.min(...times)).toBeLessThan(SUSPEND_LIMIT_MS);
  });

  test.each(transports)('over %s does not hold up others', async (transport) => {
    const { fixture, content } = await startDisk();
    await using _ = fixture;
    await startStuck(fixture, transport);
    const other = await fixture.connect();
    const times: number[] = [];
    for (let index = 0; index < 100; index += 1) {
      const start = index * 4 * KIB;
      times.push(
        await timeOf(async () => {
          const { data } = await other.read(start, 4 * KIB);
          expect(Buffer.compare(data, content.subarray(start, start + 4 * KIB))).toBe(0);
        }),
      );
    }
    expect(times.sort((a, b) => a - b)[50]).toBeLessThan(20);
  });

  test.each(transports)('over %s does not hold up the end for long', async (transport) => {
    const { fixture } = await startDisk();
    await using _ = fixture;
    const { client } = await startStuck(fixture, transport);
    const took = await timeOf(async () => {
      expect(await fixture.service.close({ timeoutMs: 300 })).toBe(false);
    });
    expect(took).toBeGreaterThanOrEqual(290);
    expect(took).toBeLessThan(2000);
    client.resume();
    await client.ended;
  });

  test('does not see what a file becomes after a suspend', async () => {
    const { fixture, path, content } = await startDisk();
    await using _ = fixture;
    const client = await fixture.connect();
    const fd = openSync(path, 'r+');
    const garbage = new Uint8Array(4 * MIB).fill(0xee);
    for (let round = 0; round < 30; round += 1) {
      const reads = Array.from({ length: 16 }, (_, index) =>
        client.read(index * 256 * KIB, 256 * KIB),
      );
      await fixture.mapper.suspend('disk');
      writeSync(fd, garbage, 0, garbage.length, 0);
      await sleep(systemClock, 1);
      writeSync(fd, content, 0, garbage.length, 0);
      await fixture.mapper.resume('disk');
      for (const [index, read] of reads.entries()) {
        const { data } = await read;
        const start = index * 256 * KIB;
        expect(Buffer.compare(data, content.subarray(start, start + data.length))).toBe(0);
      }
    }
    closeSync(fd);
  });
});

describeUnless(obstacle)('the end of the service', () => {
  test('does not wait for requests that a suspended device holds', async () => {
    const { fixture } = await startDisk();
    await using _ = fixture;
    // More than may be handed to the main thread at a time, so that the thread waits for that one alone.
    const client = await fixture.connect();
    await fixture.mapper.suspend('disk');
    for (let index = 0; index < 200; index += 1) void client.read(index * SECTOR, SECTOR);
    // Until they are there: a server that got none has nothing to cut off, and says so.
    await sleep(systemClock, 500);
    const took = await timeOf(async () => {
      expect(await fixture.service.close({ timeoutMs: 200 })).toBe(false);
    });
    expect(took).toBeLessThan(1500);
    expect(fixture.service.threadCount).toBe(0);
    await client.ended;
    await fixture.mapper.resume('disk');
    // What was cut off is done all the same, and the export is open until then.
    await until(() => fixture.mapper.info('disk').openCount === 0);
  });

  test('lets requests under way finish', async () => {
    const { fixture } = await startDisk();
    await using _ = fixture;
    const client = await fixture.connect();
    await fixture.mapper.suspend('disk');
    const held = Array.from({ length: 20 }, (_, index) => client.read((index * MIB) / 2, MIB / 2));
    await sleep(systemClock, 300);
    const closing = fixture.service.close();
    await sleep(systemClock, 50);
    await fixture.mapper.resume('disk');
    expect(await closing).toBe(true);
    for (const read of held) expect((await read).error).toBe(0);
    await client.ended;
  });
});

describeUnless(obstacle)('a client that leaves', () => {
  test('inside requests of any kind harms nobody', async () => {
    const { fixture, content } = await startDisk();
    await using _ = fixture;
    const prng = createPrng(7);
    const other = await fixture.connect();
    for (let round = 0; round < 60; round += 1) {
      const address = prng.chance(0.5) ? fixture.unix : fixture.tcp;
      const client = await fixture.connect({ address, mode: prng.pick(MODES) });
      for (let count = prng.integer(0, 20); count > 0; count -= 1) leaveBehind(client, prng);
      const data = bytes(MIB, 3);
      const header = client.encode({ command: Command.write, offset: 8 * MIB, data });
      client.socket.write(header.subarray(0, prng.integer(0, header.length)));
      if (prng.chance(0.7)) {
        client.socket.write(header);
        client.socket.write(data.subarray(0, prng.integer(0, MIB)));
      }
      if (prng.chance(0.5)) await sleep(systemClock, prng.integer(0, 5));
      client.destroy();
      const { data: found } = await other.read(0, MIB);
      expect(Buffer.compare(found, content.subarray(0, MIB))).toBe(0);
    }
    await expectQuiet(fixture, ['disk']);
  });

  function leaveBehind(client: NbdClient, prng: ReturnType<typeof createPrng>): void {
    const offset = 8 * MIB + prng.integer(0, 1000) * SECTOR;
    const length = prng.pick([512, 4 * KIB, 64 * KIB, 512 * KIB]);
    const query = prng.pick([
      { command: Command.read, offset, length },
      { command: Command.write, offset, data: new Uint8Array(length) },
      { command: Command.flush },
    ]);
    void client.request(query);
  }
});

async function expectQuiet(fixture: PlaneFixture, names: string[]): Promise<void> {
  for (const name of names) {
    for (let i = 0; i < 200 && fixture.mapper.statistics(name).inFlight > 0; i += 1) {
      await sleep(systemClock, 10);
    }
    expect(fixture.mapper.statistics(name).inFlight).toBe(0);
  }
}

describeUnless(obstacle)('a file that is cut off', () => {
  describe.each(Object.entries(FOLDERS))('on %s', (_name, folder) => {
    test.each(MODES)('fails requests behind its end, with %s replies', async (mode) => {
      const { fixture, path, content } = await startDisk({ folder });
      await using _ = fixture;
      const client = await fixture.connect({ mode });
      truncateSync(path, 2 * MIB);
      for (const length of [512, 64 * KIB, MIB]) {
        expect((await client.read(2 * MIB, length)).error).toBe(NbdError.EIO);
        const start = 2 * MIB - SECTOR;
        expect((await client.read(start, 2 * length)).error).toBe(NbdError.EIO);
        const { error, data } = await client.read(2 * MIB - length, length);
        expect(error).toBe(0);
        expect(Buffer.compare(data, content.subarray(2 * MIB - length, 2 * MIB))).toBe(0);
      }
      await client.disconnect();
    });
  });
});

const smallDisk = join(FOLDERS.disk, `devmapper-small-${process.pid}`);

function mountObstacle(): string | null {
  if (obstacle) return obstacle;
  mkdirSync(smallDisk, { recursive: true });
  const words = ['-t', 'tmpfs', '-o', 'size=2m', 'none', smallDisk];
  const { status, stderr } = spawnSync('mount', words, { encoding: 'utf8' });
  return status === 0 ? null : `needs to mount a tmpfs (root): ${stderr}`;
}

describeUnless(mountObstacle())('a full disk', () => {
  test.each(MODES)('fails writes with ENOSPC and goes on, with %s replies', async (mode) => {
    const { fixture } = await startDisk();
    await using _ = fixture;
    const path = join(smallDisk, 'full.img');
    closeSync(openSync(path, 'w'));
    truncateSync(path, 8 * MIB);
    const table = `0 ${(8 * MIB) / SECTOR} linear ${path} 0`;
    await fixture.mapper.create({ name: 'full', table });
    const client = await fixture.connect({ mode, exportName: 'full' });
    const errors = new Set<number>();
    for (let start = 0; start < 4 * MIB; start += 512 * KIB) {
      const data = bytes(512 * KIB, start);
      const { error } = await client.write(start, data);
      errors.add(error);
      if (error !== 0) continue;
      const { data: found } = await client.read(start, data.length);
      expect(Buffer.compare(found, data)).toBe(0);
    }
    expect([...errors].sort((a, b) => a - b)).toEqual([0, NbdError.ENOSPC]);
    const small = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        client.write(6 * MIB + index * 8 * KIB, bytes(512, 1)),
      ),
    );
    expect(new Set(small.map(({ error }) => error))).toContain(NbdError.ENOSPC);
    expect((await client.request({ command: Command.trim, offset: 0, length: MIB })).error).toBe(0);
    expect((await client.write(6 * MIB, bytes(256 * KIB, 1))).error).toBe(0);
    await client.disconnect();
    spawnSync('rm', [path]);
  });

  test('is taken away again', () => {
    expect(spawnSync('umount', [smallDisk]).status).toBe(0);
    spawnSync('rmdir', [smallDisk]);
  });
});
