/**
 * A thread of the data plane. It is asked to end and never terminated: stopping a thread while it declares system calls makes
 * koffi abort the whole process, and what it had open of its modules would stay open.
 */

import { type Transferable, Worker } from 'node:worker_threads';
import { endsWithin, systemClock } from '../../base/clock.ts';

/** What a thread gets when it is made. */
export interface ThreadData {
  /** One word of 32 bits: set to 1 and notified when the thread has loaded. */
  state: SharedArrayBuffer;
}

/** A thread's heap stays small: its buffers are outside. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };
/** How long the end of the process, or `end`, waits for a thread. */
const LOAD_LIMIT_MS = 2000;

/** Threads that have not loaded their modules yet. */
const loading = new Set<PlaneThread>();

/** Node is about to terminate every thread. */
function waitForLoading(): void {
  for (const thread of loading) thread.waitLoaded();
}

export class PlaneThread {
  /** Called when the thread has ended, with the error it died of if there was one. */
  onEnd: (error: Error | null) => void = () => {};
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  /** 1 once the thread has loaded. */
  readonly #state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #error: Error | null = null;

  private constructor(module: URL) {
    const workerData: ThreadData = { state: this.#state.buffer };
    const options = { workerData, resourceLimits: RESOURCE_LIMITS, stdin: false };
    this.#worker = new Worker(module, options);
    this.#worker.unref();
    this.#worker.on('error', (error: Error) => {
      this.#error = error;
    });
    this.#worker.on('message', () => this.#loaded());
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#loaded();
        this.onEnd(this.#error);
        resolve();
      });
    });
    if (loading.size === 0) process.on('exit', waitForLoading);
    loading.add(this);
  }

  /** null when the system gives no more threads or memory. */
  static start(module: URL): PlaneThread | null {
    try {
      return new PlaneThread(module);
    } catch {
      return null;
    }
  }

  #loaded(): void {
    if (loading.delete(this) && loading.size === 0) process.off('exit', waitForLoading);
  }

  /** Blocks this thread until that one has loaded. */
  waitLoaded(): void {
    Atomics.wait(this.#state, 0, 0, LOAD_LIMIT_MS);
  }

  /** Gives it something to serve. */
  serve(start: object, transfer: readonly Transferable[]): void {
    this.#worker.postMessage(start, transfer);
  }

  /** For a thread that serves nothing; resolves when it has ended. */
  async end(): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage('end');
    await endsWithin(systemClock, LOAD_LIMIT_MS, this.#ended);
    this.#worker.unref();
  }
}

/** `worker.js` beside the module with this URL; from source (tests) the one in `dist`, since threads only load JavaScript. */
export function workerBeside(moduleUrl: string): URL {
  const compiled = moduleUrl.endsWith('.js')
    ? moduleUrl
    : moduleUrl.replace(/\/src\/exports\/(?!.*\/src\/exports\/)/, '/dist/exports/');
  return new URL('./worker.js', compiled);
}
