/** Starts worker.ts: a derivation that takes seconds holds up nobody, and can be stopped. */

import { Worker } from 'node:worker_threads';
import type { WasmDerivation } from './wasm-derivation.ts';

/** `worker.js` beside this module; from source (tests) the one in `dist`, since threads only load JavaScript. */
const compiled = import.meta.url.endsWith('.js')
  ? import.meta.url
  : import.meta.url.replace(/\/src\/crypto\/(?!.*\/src\/crypto\/)/, '/dist/crypto/');
const MODULE = new URL('./worker.js', compiled);

export function deriveInThread(derivation: WasmDerivation, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(MODULE, { workerData: derivation, stdin: false });
    const stop = () => void worker.terminate();
    let derived = false;
    let failure = new Error('The thread that derives a key ended before it was done');
    signal?.addEventListener('abort', stop);
    worker.on('message', () => {
      derived = true;
    });
    worker.on('error', (error: Error) => {
      failure = error;
    });
    worker.on('exit', () => {
      signal?.removeEventListener('abort', stop);
      if (derived) resolve();
      else reject(failure);
    });
  });
}
