/** What a daemon that was killed may have left in the state folder, put right before the next one uses it. */

import type { StatePaths } from '../system/state-folder.ts';
import { recoverMount } from './fuse-method.ts';
import type { Log } from './log.ts';

/** Called with the lock held: whatever is there is nobody's. Sockets are replaced by whoever listens on them. */
type RecoveryStep = (paths: StatePaths, log: Log) => Promise<void>;

/** One line for each part that can leave something behind. */
const steps: readonly RecoveryStep[] = [recoverMount];

/** A step that fails is told, and does not keep the daemon from starting. */
export async function recoverState(paths: StatePaths, log: Log): Promise<void> {
  for (const step of steps) {
    try {
      await step(paths, log);
    } catch (error) {
      log.warn(`recovery: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
