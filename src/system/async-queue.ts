/** Calls on libuv's threads, few at a time: the rest wait here and not in front of everybody's reads and writes. */
import { Errno } from '../base/errors.ts';
import { poolThreadCount } from '../base/thread-pool.ts';

/** Half of libuv's threads stay free, one of the default four, however many discards there are. */
const MAX_RUNNING = Math.max(3, Math.floor(poolThreadCount() / 2));

/** Starts one call; koffi calls `done` with its own error (wrong argument) or the function's result. */
export type AsyncStart = (done: (error: unknown, result: number) => void) => void;

interface QueuedCall {
  start: AsyncStart;
  /** Memory the kernel may touch until the call has ended; held here so that it stays reachable. */
  memory: unknown;
  resolve: (result: number) => void;
  reject: (reason: unknown) => void;
}

export class AsyncQueue {
  readonly #waiting: QueuedCall[] = [];
  readonly #running = new Set<QueuedCall>();
  readonly #settle: (result: number) => number;

  /** `settle` turns a result into a count or a negative errno, while errno is still that of the call. */
  constructor(settle: (result: number) => number) {
    this.#settle = settle;
  }

  run(start: AsyncStart, memory: unknown): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ start, memory, resolve, reject });
      this.#startWaiting();
    });
  }

  #startWaiting(): void {
    while (this.#running.size < MAX_RUNNING) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#running.add(call);
      call.start((error, result) => this.#end(call, error, result));
    }
  }

  #end(call: QueuedCall, error: unknown, result: number): void {
    this.#running.delete(call);
    const settled = this.#settle(result);
    if (error) call.reject(error);
    else if (settled === -Errno.EINTR) this.#waiting.push(call);
    else call.resolve(settled);
    this.#startWaiting();
  }
}
