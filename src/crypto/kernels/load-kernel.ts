/** Compiled kernels (`scripts/build-kernels.ts` makes them from the `.as` files here) and the memory they work in. */

import { assert } from '../../base/assert.ts';
import type { CipherMemory } from './cipher-memory.ts';
import { webAssembly } from './web-assembly.ts';

/**
 * The functions of a kernel: numbers in, nothing or a number out. It imports `env.memory`, has no static data and no state of its own: everything
 * it works on is an address in that memory.
 */
export function loadKernel<Functions>(base64: string, memory: CipherMemory): Functions {
  assert(webAssembly !== null && memory.wasm !== null, 'a kernel is loaded where WASM is');
  const module = new webAssembly.Module(Buffer.from(base64, 'base64'));
  const instance = new webAssembly.Instance(module, { env: { memory: memory.wasm } });
  return instance.exports as Functions;
}
