/** The entry point of an assistant's thread: helps one worker after the other. */

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import { assist } from '../../../crypto/assistant/assist.ts';
import { cipherEngine } from '../../../crypto/cipher-engine.ts';
import type { ThreadData } from '../plane-thread.ts';
import type { AssistantPlace } from './assistants.ts';

assert(parentPort !== null, 'an assistant has a parent');
const parent = parentPort;
// Declares the system calls.
cipherEngine();

const state = new Int32Array((workerData as ThreadData).state);
Atomics.store(state, 0, 1);
Atomics.notify(state, 0);
parent.postMessage('loaded');

parent.on('message', (message: AssistantPlace | 'end') => {
  if (message === 'end') parent.close();
  else assist(message.port, message.memory);
});
