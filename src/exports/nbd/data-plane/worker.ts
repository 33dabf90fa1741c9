/** The entry point of a data-plane thread: serves one connection at a time, as the main thread hands them over. */

import { parentPort } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import { loadSystem } from '../../../system/index.ts';
import type { FromWorker, StartMessage } from './messages.ts';
import { allocateBuffers, type ConnectionBuffers, WorkerConnection } from './worker-connection.ts';

const system = loadSystem();
assert(parentPort !== null && system !== null, 'a data-plane worker has a parent and system calls');
const parent = parentPort;
let buffers: ConnectionBuffers | null = null;

parent.on('message', async (start: StartMessage) => {
  buffers ??= allocateBuffers(start.limits.maxPayloadBytes);
  const connection = new WorkerConnection({ start, system, buffers });
  const reason = await connection.run();
  const end: FromWorker = { kind: 'end', reason, counters: connection.counters };
  start.port.postMessage(end);
  start.port.close();
});
