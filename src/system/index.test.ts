import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Errno } from '../base/errors.ts';
import { loadSystem, type System } from './index.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import { MessageFlag } from './socket-calls.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

async function loadAgain(): Promise<System | null> {
  vi.resetModules();
  return (await import('./index.ts')).loadSystem();
}

describe('loadSystem', () => {
  it('answers the same object every time', () => {
    expect(loadSystem()).toBe(loadSystem());
  });

  it('answers null when the environment says so', async () => {
    vi.stubEnv('DEVMAPPER_NO_KOFFI', '1');
    vi.resetModules();
    const again = await import('./index.ts');
    expect(again.loadSystem()).toBeNull();
    vi.stubEnv('DEVMAPPER_NO_KOFFI', '');
    expect(again.loadSystem()).toBeNull();
  });

  it.each([
    ['platform', 'darwin'],
    ['arch', 'riscv64'],
  ] as const)('answers null with %s %s', async (property, value) => {
    const spy = vi.spyOn(process, property, 'get').mockReturnValue(value);
    expect(await loadAgain()).toBeNull();
    spy.mockRestore();
  });
});

const system = loadSystem();
if (system) describe('in a worker', () => workerTests(system));
else it('is not there for workers either', () => expect(system).toBeNull());

/** Blocks in recv until the socket is shut down; answers every count. */
const workerSource = `
  const { workerData, parentPort } = require('node:worker_threads');
  require('tsx/cjs/api').register();
  const { loadSystem } = require(workerData.folder + '/index.ts');
  const { PinnedBuffer } = require(workerData.folder + '/pinned-buffer.ts');
  const { sockets } = loadSystem();
  const buffer = PinnedBuffer.wrap(workerData.memory);
  parentPort.postMessage('ready');
  let count;
  do {
    count = sockets.recv(workerData.fd, buffer, 1, 3, 0);
    parentPort.postMessage(count);
  } while (count > 0);
`;

function workerTests({ sockets, descriptors }: System): void {
  it('receives into shared memory and wakes on shutdown', async () => {
    const pair = sockets.createPair();
    if (typeof pair === 'number') throw new Error(`socketpair failed: ${pair}`);
    const [left, right] = pair;
    const memory = new SharedArrayBuffer(4);
    const folder = import.meta.dirname;
    const worker = new Worker(workerSource, {
      eval: true,
      workerData: { fd: right, memory, folder },
    });
    const messages: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      worker.on('message', (message) => {
        messages.push(message);
        if (message === 'ready') {
          sockets.send(left, PinnedBuffer.wrap(Uint8Array.of(7, 8, 9)), 0, 3, MessageFlag.none);
        } else if (message === 3) {
          // By now the worker is, or soon will be, blocked in its second recv.
          sockets.shutdown(right, 'both');
        }
      });
    });
    expect(messages).toEqual(['ready', 3, 0]);
    expect([...new Uint8Array(memory)]).toEqual([0, 7, 8, 9]);
    expect(sockets.send(left, PinnedBuffer.allocate(1), 0, 1, 0)).toBe(-Errno.EPIPE);
    descriptors.close(left);
    descriptors.close(right);
  });
}
