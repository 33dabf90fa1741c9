/** A disk that takes 200 ms for everything, below a connection that also has something quicker to do. */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { createPrng } from '../../src/base/prng.ts';
import { DeviceMapper } from '../../src/mapper/device-mapper.ts';
import { serveNbd } from '../../src/mapper/serve-nbd.ts';
import { Command } from '../../src/protocols/nbd/constants.ts';
import { requireTools, toolEnvironment } from '../../src/testing/tools.ts';
import { NbdClient } from './nbd-client.ts';
import { FOLDERS } from './plane-fixture.ts';
import { run, ServeProcess } from './serve-process.ts';

const MIB = 1024 * 1024;
const SECTOR = 512;
const DELAY_MS = 200;
const FAST_BYTES = 16 * MIB;
/** So large that random requests never meet a page that is cached already. */
const SLOW_BYTES = 1024 * MIB;
const DEPTH = 32;

const delayed = [
  '-t',
  '32',
  '--filter=delay',
  'memory',
  `${SLOW_BYTES}`,
  `rdelay=${DELAY_MS}ms`,
  `wdelay=${DELAY_MS}ms`,
];

requireTools(
  'nbdkit',
  'nbdfuse',
  'fusermount3',
)('a volume over a fast file and a slow one', () => {
  let folder: string;
  let unmount: () => Promise<void>;
  let server: ServeProcess;
  const prng = createPrng(1);

  beforeAll(async () => {
    folder = mkdtempSync(join(FOLDERS.disk, 'devmapper-slow-'));
    const fast = join(folder, 'fast.img');
    writeFileSync(fast, '');
    truncateSync(fast, FAST_BYTES);
    const { path, ended } = await mount();
    unmount = async () => {
      await run('fusermount3', '-u', join(folder, 'mount'));
      await ended;
    };
    const rows = [
      `0 ${FAST_BYTES / SECTOR} linear ${fast} 0`,
      `${FAST_BYTES / SECTOR} ${SLOW_BYTES / SECTOR} linear ${path} 0`,
    ];
    server = await ServeProcess.start(folder, '--table', rows.join('\\n'));
  });

  afterAll(async () => {
    await server.stop();
    await unmount();
    rmSync(folder, { recursive: true });
  });

  async function mount(): Promise<{ path: string; ended: Promise<unknown> }> {
    mkdirSync(join(folder, 'mount'));
    const path = join(folder, 'mount', 'disk');
    const words = [path, '--command', 'nbdkit', '-s', ...delayed];
    const child = spawn('nbdfuse', words, { env: toolEnvironment(), stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (statSync(path, { throwIfNoEntry: false }) === undefined) {
      if (child.exitCode !== null) throw new Error('Cannot mount a slow file with nbdfuse');
      await sleep(systemClock, 20);
    }
    return { path, ended };
  }

  const connect = () => NbdClient.connect({ address: { path: server.socketPath! } });
  const slowOffset = () => FAST_BYTES + prng.integer(0, SLOW_BYTES / 4096 - 1) * 4096;

  async function timeOf(action: () => Promise<{ error: number }>): Promise<number> {
    const startMs = systemClock.nowMs();
    expect((await action()).error).toBe(0);
    return systemClock.nowMs() - startMs;
  }

  /** How often a request to the fast file took as if it were one to the slow file. */
  async function countHeld(client: NbdClient): Promise<number> {
    let held = 0;
    for (const endMs = systemClock.nowMs() + 3000; systemClock.nowMs() < endMs; ) {
      const offset = prng.integer(0, FAST_BYTES / 4096 - 1) * 4096;
      const times = [
        await timeOf(() => client.read(offset, 4096)),
        await timeOf(() => client.write(offset, new Uint8Array(4096))),
      ];
      held += times.filter((ms) => ms > DELAY_MS / 2).length;
      await sleep(systemClock, 2);
    }
    return held;
  }

  test.each(['read', 'write'] as const)('%ss of the slow one hold up no other', async (kind) => {
    const client = await connect();
    const slow = (offset: number) =>
      kind === 'read' ? client.read(offset, 4096) : client.write(offset, new Uint8Array(4096));
    const quiet = await countHeld(client);
    // The first is how the thread finds out.
    await slow(slowOffset());
    let stopped = false;
    let slowCount = 0;
    const load = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        await slow(slowOffset());
        slowCount += 1;
      }
    });
    const loaded = await countHeld(client);
    stopped = true;
    await Promise.all(load);
    client.destroy();
    // Linux writes to one FUSE file one after the other.
    expect(slowCount).toBeGreaterThan(kind === 'read' ? 30 : 8);
    // What else runs on the machine may hold up one or two.
    expect(loaded).toBeLessThanOrEqual(quiet + 2);
  });

  test.each(['read', 'write'] as const)(
    'a suspend waits for a %s that a thread has begun',
    async (kind) => {
      const path = join(folder, 'mount', 'disk');
      const table = `0 ${SLOW_BYTES / SECTOR} linear ${path} 0`;
      // Another process has it open.
      await using mapper = new DeviceMapper({ lock: false });
      await mapper.create({ name: 'disk', table });
      const socketPath = join(folder, 'own.sock');
      await using _service = await serveNbd(mapper, { socketPath });
      const client = await NbdClient.connect({ address: { path: socketPath } });
      // A thread takes a moment to start.
      await client.request({ command: Command.flush });
      const startMs = systemClock.nowMs();
      let answered = false;
      const request =
        kind === 'read' ? client.read(0, 4096) : client.write(0, new Uint8Array(4096));
      void request.then(() => {
        answered = true;
      });
      await sleep(systemClock, DELAY_MS / 4);
      expect(answered).toBe(false);
      await mapper.suspend('disk');
      expect(systemClock.nowMs() - startMs).toBeGreaterThanOrEqual(DELAY_MS - 5);
      // The thread ended it: the main thread would keep it until the device runs again.
      expect((await request).error).toBe(0);
      await mapper.resume('disk');
      client.destroy();
    },
  );

  test('requests of the slow one run at a time, once it is known', async () => {
    const client = await connect();
    await client.read(slowOffset(), 4096);
    const startMs = systemClock.nowMs();
    const requests = Array.from({ length: DEPTH }, () => client.read(slowOffset(), 4096));
    for (const request of requests) expect((await request).error).toBe(0);
    const tookMs = systemClock.nowMs() - startMs;
    client.destroy();
    expect(tookMs).toBeLessThan(DEPTH * DELAY_MS * 0.6);
  });
});
