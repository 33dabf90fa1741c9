/** The thread that derives one key in WebAssembly and ends. */

import { parentPort, workerData } from 'node:worker_threads';
import { deriveInWasm, type WasmDerivation } from './wasm-derivation.ts';

await deriveInWasm(workerData as WasmDerivation);
parentPort?.postMessage('derived');
