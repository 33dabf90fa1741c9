/** As much of WebAssembly as the kernels need; neither TypeScript's library without a browser nor Node's types have it. */

export interface WasmMemory {
  /** Shared memory: growing makes a longer buffer of the same bytes and leaves the old one usable. */
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

interface WebAssemblyApi {
  Memory: new (options: { initial: number; maximum: number; shared: true }) => WasmMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

/** Null under `node --jitless`. */
export const webAssembly: WebAssemblyApi | null =
  (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly ?? null;
