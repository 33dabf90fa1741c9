/** The entry point of a data-plane thread: serves one connection at a time, as the main thread hands them over. */

import { parentPort } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import { loadSystem } from '../../../system/index.ts';
import type { FromWorker, StartMessage } from './messages.ts';
import { allocateBuffers, type ConnectionBuffers, WorkerConnection } from './worker-connection.ts';

const system = loadSystem();
assert(parentPort !== null && system !== null, 'a data-plane worker has a parent and system calls');
const calls = system;
let buffers: ConnectionBuffers | null = null;

/** An exception ends the thread, and with it the connection: the main thread hears of that. */
async function serve(start: StartMessage): Promise<void> {
  buffers ??= allocateBuffers(start.limits.maxPayloadBytes);
  const connection = new WorkerConnection({ start, system: calls, buffers });
  const reason = await connection.run();
  const end: FromWorker = { kind: 'end', reason, counters: connection.counters };
  start.port.postMessage(end);
  start.port.close();
}

parentPort.on('message', (start: StartMessage) => {
  void serve(start);
});
