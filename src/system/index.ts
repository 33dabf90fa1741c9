/**
 * Linux system calls that Node does not offer, or offers only through its thread pool.
 *
 * Synchronous calls take numbers and `PinnedBuffer`s and answer a count >= 0 or a negative errno: no exception and no
 * allocation per call. `loadSystem` answers null where they are missing, and every caller has a fallback for that.
 * Why: docs/decisions/0001-system-calls.md.
 */
import { createRequire } from 'node:module';
import { type BlockCalls, createBlockCalls } from './block-calls.ts';
import { type CipherCalls, createCipherCalls } from './cipher-calls.ts';
import { type ControlCalls, createControlCalls } from './control-calls.ts';
import { createDescriptorCalls, type DescriptorCalls } from './descriptor-calls.ts';
import { createFileCalls, type FileCalls } from './file-calls.ts';
import { createFuseCalls, type FuseCalls } from './fuse-calls.ts';
import { createLockCalls, type LockCalls } from './lock-calls.ts';
import type { Koffi } from './natives.ts';
import { createProcessCalls, type ProcessCalls } from './process-calls.ts';
import { RawCalls } from './raw-calls.ts';
import { RawCipherCalls } from './raw-cipher-calls.ts';
import { createSocketCalls, type SocketCalls } from './socket-calls.ts';
import { createSpaceCalls, type SpaceCalls } from './space-calls.ts';

export interface System {
  readonly sockets: SocketCalls;
  readonly descriptors: DescriptorCalls;
  readonly files: FileCalls;
  readonly space: SpaceCalls;
  readonly locks: LockCalls;
  readonly process: ProcessCalls;
  readonly blocks: BlockCalls;
  readonly control: ControlCalls;
  readonly fuse: FuseCalls;
  /** Null where Node's OpenSSL cannot be reached. */
  readonly ciphers: CipherCalls | null;
}

let loaded: System | null | undefined;

/**
 * The same object every time on one thread; every worker loads its own. Null off Linux, on machines other than x64 and
 * arm64, without the optional package koffi, or with DEVMAPPER_NO_KOFFI=1 in the environment.
 */
export function loadSystem(): System | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): System | null {
  if (process.env['DEVMAPPER_NO_KOFFI'] === '1') return null;
  if (process.platform !== 'linux') return null;
  if (process.arch !== 'x64' && process.arch !== 'arm64') return null;
  const koffi = loadKoffi();
  if (koffi === null) return null;
  const raw = orNull(() => new RawCalls(koffi));
  if (raw === null) return null;
  return {
    sockets: createSocketCalls(raw),
    descriptors: createDescriptorCalls(raw),
    files: createFileCalls(raw),
    space: createSpaceCalls(raw),
    locks: createLockCalls(raw),
    process: createProcessCalls(raw),
    blocks: createBlockCalls(raw),
    control: createControlCalls(raw),
    fuse: createFuseCalls(raw),
    ciphers: orNull(() => createCipherCalls(new RawCipherCalls(koffi))),
  };
}

function loadKoffi(): Koffi | null {
  return orNull(() => createRequire(import.meta.url)('koffi') as Koffi);
}

/** Not installed, no prebuilt binary for this libc, a libc or a Node without one of the functions: all the same to callers. */
function orNull<Value>(load: () => Value): Value | null {
  try {
    return load();
  } catch {
    return null;
  }
}
