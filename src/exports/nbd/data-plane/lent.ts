/**
 * Waits for a client to take what its socket holds of the files themselves: that lies in the socket as it is in the files, and would
 * change with them. To a suspend it is a read under way.
 */

import { type Clock, sleep } from '../../../base/clock.ts';

/**
 * Counted in looks and not in time: on a busy machine the client gets as little of it as this thread does. Whoever took nothing
 * between so many looks takes nothing.
 */
const IDLE_LOOKS = 50;
const LOOK_MS = 1;
/** Nor can a suspend wait for one that takes a few bytes now and then. */
const LIMIT_MS = 5000;

/** Whether the client has everything; false also when `isGone` says that nobody wants to know any more. */
export async function waitUntilTaken(
  clock: Clock,
  { unreadBytes, isGone }: { unreadBytes(): number; isGone(): boolean },
): Promise<boolean> {
  const limitMs = clock.nowMs() + LIMIT_MS;
  let lastBytes = 0;
  let idleLooks = 0;
  while (!isGone() && idleLooks < IDLE_LOOKS && clock.nowMs() < limitMs) {
    const bytes = unreadBytes();
    if (bytes <= 0) return true;
    // More counts as well: what the thread has copied follows as soon as the client makes room.
    idleLooks = bytes === lastBytes ? idleLooks + 1 : 0;
    lastBytes = bytes;
    await sleep(clock, LOOK_MS);
  }
  return false;
}
