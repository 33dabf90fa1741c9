/** What each thread of a mount needs before it can serve: itself, a queue of the mount, and a bell. */

import type { System } from '../../system/index.ts';
import { PlaneThread, workerBeside } from '../data-plane/plane-thread.ts';
import { openFuseDevice } from './mount.ts';

export interface Seat {
  thread: Pick<PlaneThread, 'serve' | 'end' | 'onEnd'>;
  /** The first one's is the mount's own. */
  fuseFd: number;
  eventFd: number;
}

/** At most `count`, fewer where the system gives no more; none: the mount's descriptor is still the caller's. */
export function createSeats(system: System, mountFd: number, count: number): Seat[] {
  const seats: Seat[] = [];
  while (seats.length < count) {
    const fuseFd = seats.length === 0 ? mountFd : cloneDescriptor(system, mountFd);
    if (fuseFd < 0) break;
    const seat = createSeat(system, fuseFd);
    if (seat === null) {
      if (fuseFd !== mountFd) system.descriptors.close(fuseFd);
      break;
    }
    seats.push(seat);
  }
  return seats;
}

function createSeat(system: System, fuseFd: number): Seat | null {
  const eventFd = system.descriptors.createEvent({ nonblocking: true });
  if (eventFd < 0) return null;
  const thread = PlaneThread.start(workerBeside(import.meta.url));
  if (thread !== null) return { thread, fuseFd, eventFd };
  system.descriptors.close(eventFd);
  return null;
}

/** Another queue of the same mount, so that threads do not wait for each other; negative where there is none. */
function cloneDescriptor(system: System, mountFd: number): number {
  let fd: number;
  try {
    fd = openFuseDevice();
  } catch {
    return -1;
  }
  const result = system.fuse.clone(fd, mountFd);
  if (result >= 0) return fd;
  system.descriptors.close(fd);
  return result;
}
