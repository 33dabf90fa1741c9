/** Threads that help the data plane's workers with the work of ciphers, seen from the main thread. */

import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { SharedWords } from '../../../crypto/assistant/shared-words.ts';
import { PlaneThread, workerBeside } from '../plane-thread.ts';

/** Where a worker, and the thread that helps it, find each other. */
export interface AssistantPlace {
  port: MessagePort;
  memory: SharedArrayBuffer;
}

export interface AssistantSeat {
  /** For the worker; the port is transferred to it. */
  place: AssistantPlace;
  /** The worker is done with it, or dead. */
  release(): void;
}

export class CipherAssistants {
  readonly #maxCount: number;
  readonly #idle: PlaneThread[] = [];
  #count = 0;
  #isClosed = false;
  readonly #ending = new Set<Promise<void>>();

  /** By default half of the processors: one for each worker, one for its assistant. */
  constructor(maxCount = Math.floor(availableParallelism() / 2)) {
    this.#maxCount = maxCount;
  }

  /** null when there are as many as processors can run beside their workers. */
  take(): AssistantSeat | null {
    const thread = this.#isClosed ? null : (this.#idle.pop() ?? this.#start());
    if (thread === null) return null;
    const words = new SharedWords();
    const { port1, port2 } = new MessageChannel();
    thread.onEnd = () => {
      words.noteGone();
      this.#forget(thread);
    };
    const { memory } = words;
    thread.serve({ port: port1, memory } satisfies AssistantPlace, [port1]);
    return { place: { port: port2, memory }, release: () => this.#release(thread, words) };
  }

  #start(): PlaneThread | null {
    if (this.#count >= this.#maxCount) return null;
    const thread = PlaneThread.start(workerBeside(import.meta.url));
    if (thread !== null) this.#count += 1;
    return thread;
  }

  #release(thread: PlaneThread, words: SharedWords): void {
    if (words.isGone) return;
    words.end();
    if (this.#isClosed) this.#end(thread);
    else this.#idle.push(thread);
  }

  #forget(thread: PlaneThread): void {
    this.#count -= 1;
    const index = this.#idle.indexOf(thread);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  #end(thread: PlaneThread): void {
    const ending = thread.end();
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }

  /** Those that still help somebody end when they are released. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const thread of this.#idle.splice(0)) this.#end(thread);
    await Promise.all(this.#ending);
  }
}
