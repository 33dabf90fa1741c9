/** What a process says of itself. */

import { PinnedBuffer } from './pinned-buffer.ts';
import type { RawCalls } from './raw-calls.ts';

const RLIMIT_CORE = 4;
/** struct rlimit: soft and hard, 64 bits each. */
const RLIMIT_BYTES = 16;

export interface ProcessCalls {
  /**
   * From now on the process leaves no core dump, however it dies. Not PR_SET_DUMPABLE, which would also take /proc/self away from a process that is not root's.
   * 0, or a negative errno.
   */
  forbidCoreDumps(): number;
}

export function createProcessCalls(raw: RawCalls): ProcessCalls {
  return { forbidCoreDumps: () => raw.setrlimit(RLIMIT_CORE, PinnedBuffer.allocate(RLIMIT_BYTES)) };
}
