/**
 * Linux system calls that Node does not offer, or offers only through its thread pool.
 *
 * Synchronous calls take numbers and `PinnedBuffer`s and answer a count >= 0 or a negative errno: no exception and no
 * allocation per call. `loadSystem` answers null where they are missing, and every caller has a fallback for that.
 * Why: docs/decisions/0001-system-calls.md.
 */
import { createRequire } from 'node:module';
import { type BlockCalls, createBlockCalls } from './block-calls.ts';
import { type ControlCalls, createControlCalls } from './control-calls.ts';
import { createDescriptorCalls, type DescriptorCalls } from './descriptor-calls.ts';
import { createFileCalls, type FileCalls } from './file-calls.ts';
import { createFuseCalls, type FuseCalls } from './fuse-calls.ts';
import { createLockCalls, type LockCalls } from './lock-calls.ts';
import type { Koffi } from './natives.ts';
import { RawCalls } from './raw-calls.ts';
import { createSocketCalls, type SocketCalls } from './socket-calls.ts';
import { createSpaceCalls, type SpaceCalls } from './space-calls.ts';

export interface System {
  readonly sockets: SocketCalls;
  readonly descriptors: DescriptorCalls;
  readonly files: FileCalls;
  readonly space: SpaceCalls;
  readonly locks: LockCalls;
  readonly blocks: BlockCalls;
  readonly control: ControlCalls;
  readonly fuse: FuseCalls;
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
  const raw = loadRawCalls();
  if (raw === null) return null;
  return {
    sockets: createSocketCalls(raw),
    descriptors: createDescriptorCalls(raw),
    files: createFileCalls(raw),
    space: createSpaceCalls(raw),
    locks: createLockCalls(raw),
    blocks: createBlockCalls(raw),
    control: createControlCalls(raw),
    fuse: createFuseCalls(raw),
  };
}

function loadRawCalls(): RawCalls | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    return new RawCalls(koffi);
  } catch {
    // Not installed, no prebuilt binary for this libc, or a libc without one of the functions: all the same to callers.
    return null;
  }
}
