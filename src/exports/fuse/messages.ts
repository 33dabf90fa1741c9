/** What the main thread and the worker threads of a mount tell each other. */

import type { MessagePort } from 'node:worker_threads';

/** What a thread gets to serve a mount. */
export interface StartMessage {
  port: MessagePort;
  /** Its own queue of the mount, or one that all threads share. Does not block; closed by the main thread. */
  fuseFd: number;
  /** Readable when the thread should look at its messages. */
  eventFd: number;
  /** A `Gate` that is never opened: only its signal is used. */
  mailbox: SharedArrayBuffer;
}

/** On the mount's port; every one is followed by a signal. */
export type ToWorker =
  /** Answer `pong` after the request at hand. */
  | { kind: 'ping'; id: number }
  /** Take no more requests. */
  | { kind: 'stop' };

export type FromWorker =
  /** A request that this thread leaves to the main thread, which also writes the reply, to this thread's descriptor. */
  | { kind: 'request'; bytes: Uint8Array }
  | { kind: 'pong'; id: number }
  /** The thread has let go of the descriptors. `reason` is null when the file system was unmounted or it was told to. */
  | { kind: 'end'; reason: string | null };
