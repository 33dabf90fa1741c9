/** The entry point of a data-plane thread: serves one connection at a time, as the main thread hands them over. */

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import { useAssistant } from '../../../crypto/assistant/assisted-sector-cipher.ts';
import { CipherAssistant } from '../../../crypto/assistant/cipher-assistant.ts';
import { loadSystem } from '../../../system/index.ts';
import type { ThreadData } from '../../data-plane/plane-thread.ts';
import type { FromThread, FromWorker, StartMessage, ToThread } from './messages.ts';
import { allocateBuffers, type ConnectionBuffers, WorkerConnection } from './worker-connection.ts';

const system = loadSystem();
assert(parentPort !== null && system !== null, 'a data-plane worker has a parent and system calls');
const parent = parentPort;
const calls = system;
let buffers: ConnectionBuffers | null = null;

const state = new Int32Array((workerData as ThreadData).state);
Atomics.store(state, 0, 1);
Atomics.notify(state, 0);
const loaded: FromThread = 'loaded';
parent.postMessage(loaded);

function isShared({ input }: ConnectionBuffers): boolean {
  return input.bytes.buffer instanceof SharedArrayBuffer;
}

/** An exception ends the thread, and with it the connection: the main thread hears of that. */
async function serve(start: StartMessage): Promise<void> {
  const { assistant } = start;
  const isFit = buffers !== null && (assistant === null || isShared(buffers));
  if (!isFit) buffers = allocateBuffers(start.limits.maxPayloadBytes, assistant !== null);
  useAssistant(assistant && new CipherAssistant(assistant.port, assistant.memory));
  const connection = new WorkerConnection({ start, system: calls, buffers: buffers! });
  const reason = await connection.run();
  useAssistant(null);
  const end: FromWorker = { kind: 'end', reason, counters: connection.counters };
  start.port.postMessage(end);
  start.port.close();
}

parent.on('message', (message: ToThread) => {
  if (message === 'end') parent.close();
  else void serve(message);
});
