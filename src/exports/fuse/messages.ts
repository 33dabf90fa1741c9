/** What the main thread and the worker threads of a mount tell each other. */

import type { MessagePort } from 'node:worker_threads';
import type { Plan } from '../data-plane/plan.ts';

/** What a thread gets to serve a mount. */
export interface StartMessage {
  port: MessagePort;
  /** Its own queue of the mount. Does not block; closed by the main thread. */
  fuseFd: number;
  /** Readable when the thread should look at its messages. */
  eventFd: number;
  /** A `Gate` that is never opened: only its signal is used. */
  mailbox: SharedArrayBuffer;
  /** A word of 32 bits that grows with every request taken. */
  progress: SharedArrayBuffer;
  /** How long to ask an empty queue again before sleeping; 0 never. */
  spinMicroseconds: number;
}

/** On the mount's port; every one is followed by a signal. */
export type ToWorker =
  /** Answer `pong` after the request at hand. */
  | { kind: 'ping'; id: number }
  /** Take no more requests. */
  | { kind: 'stop' }
  /** Reads and writes of the device with this key may be done on a copy of its stack, behind the gate. */
  | { kind: 'attach'; key: number; gate: SharedArrayBuffer; plan: Plan }
  | { kind: 'plan'; key: number; plan: Plan }
  /** Drop the copy: the next plan makes another. */
  | { kind: 'forget'; key: number }
  | { kind: 'detach'; key: number }
  /** A request that came with an `id` is answered. */
  | { kind: 'answered'; id: number; durationMs: number };

export type FromWorker =
  /**
   * A request that this thread leaves to the main thread, which also writes the reply, to this thread's descriptor. With an
   * `id`, the thread wants to know how long that took.
   */
  | { kind: 'request'; bytes: Uint8Array; id: number | null }
  | { kind: 'pong'; id: number }
  /** The plan of this device sent last is read. */
  | { kind: 'planned'; key: number }
  /** The thread serves no more. `reason` is null when the file system was unmounted or it was told to. */
  | { kind: 'end'; reason: string | null };
