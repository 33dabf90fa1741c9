/** qemu and we refuse each other an image, as two qemus do. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { DeviceStore } from '../../src/devices/store.ts';
import { loadSystem } from '../../src/system/index.ts';
import {
  describeUnless,
  findTool,
  missingTools,
  toolEnvironment,
} from '../../src/testing/tools.ts';
import { run } from './serve-process.ts';

const READ_ONLY = { readOnly: true };
const WRITABLE = { readOnly: false };
const REFUSED = /Cannot lock ".*" for \w+: another program holds it/;

const folder = mkdtempSync(join(tmpdir(), 'devmapper-locks-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
let path = '';
let store: DeviceStore;
beforeEach(() => {
  count += 1;
  path = join(folder, `${count}.img`);
  writeFileSync(path, '');
  truncateSync(path, 1024 * 1024);
  store = new DeviceStore();
});
afterEach(() => store.close());

const readWithQemu = (...options: string[]) =>
  run('qemu-io', ...options, '-f', 'raw', '-c', 'read 0 512', path);

/** Serves the image until told to stop. */
async function startQemuNbd(...options: string[]): Promise<ChildProcess> {
  const socket = join(folder, `${count}.sock`);
  const words = [...options, '-f', 'raw', '-t', '-k', socket, path];
  const child = spawn(findTool('qemu-nbd')!, words, { env: toolEnvironment(), stdio: 'ignore' });
  while (!existsSync(socket) && child.exitCode === null) await sleep(systemClock, 20);
  expect(child.exitCode).toBeNull();
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill();
  await once(child, 'exit');
}

const missing = missingTools(['qemu-io', 'qemu-nbd']);
const obstacle =
  missing.length > 0 ? `needs ${missing.join(', ')}` : loadSystem() ? null : 'needs koffi';

describeUnless(obstacle)('locks on images', () => {
  describe('what we write', () => {
    test('qemu does not write', async () => {
      const opened = store.open(path, WRITABLE);
      const refused = await readWithQemu();
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(/Failed to get "write" lock/);
      opened.release();
      expect(await readWithQemu()).toMatchObject({ status: 0 });
    });

    test('qemu-nbd does not serve', async () => {
      store.open(path, WRITABLE);
      const socket = join(folder, `refused-${count}.sock`);
      const { status, stderr } = await run('qemu-nbd', '-f', 'raw', '-k', socket, path);
      expect(status).toBe(1);
      expect(stderr).toMatch(/Failed to get "write" lock/);
    });

    test('qemu writes after all when we do not lock', async () => {
      const careless = new DeviceStore({ lock: false });
      careless.open(path, WRITABLE);
      expect(await readWithQemu()).toMatchObject({ status: 0 });
      await careless.close();
    });
  });

  describe('what we read', () => {
    test('qemu reads and does not write', async () => {
      store.open(path, READ_ONLY);
      expect(await readWithQemu('-r')).toMatchObject({ status: 0 });
      expect(await readWithQemu()).toMatchObject({ status: 1 });
    });
  });

  describe('what qemu-nbd writes', () => {
    test('we neither write nor read, until it ends', async () => {
      const qemu = await startQemuNbd();
      expect(() => store.open(path, WRITABLE)).toThrow(REFUSED);
      expect(() => store.open(path, READ_ONLY)).toThrow(REFUSED);
      const careless = new DeviceStore({ lock: false });
      careless.open(path, WRITABLE);
      await careless.close();
      await stop(qemu);
      store.open(path, WRITABLE);
    });
  });

  describe('what qemu-nbd reads', () => {
    test('we read', async () => {
      const qemu = await startQemuNbd('-r');
      store.open(path, READ_ONLY);
      await stop(qemu);
    });
  });
});
