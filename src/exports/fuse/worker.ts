/** The entry point of a thread that serves a mount. */

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { loadSystem } from '../../system/index.ts';
import type { ThreadData } from '../data-plane/plane-thread.ts';
import type { FromWorker, StartMessage } from './messages.ts';
import { WorkerMount } from './worker-mount.ts';

const system = loadSystem();
assert(parentPort !== null && system !== null, 'a thread of a mount has a parent and system calls');
const parent = parentPort;
const calls = system;

const state = new Int32Array((workerData as ThreadData).state);
Atomics.store(state, 0, 1);
Atomics.notify(state, 0);
parent.postMessage('loaded');

parent.on('message', (message: StartMessage | 'end') => {
  if (message === 'end') {
    parent.close();
    return;
  }
  void serve(message);
});

/** An exception ends the thread: the main thread hears of that. */
async function serve(start: StartMessage): Promise<void> {
  const reason = await new WorkerMount(start, calls).run();
  const end: FromWorker = { kind: 'end', reason };
  start.port.postMessage(end);
  start.port.close();
}
