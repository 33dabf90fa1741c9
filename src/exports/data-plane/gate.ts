/**
 * The gate between a worker and the main thread: a few words of shared memory.
 *
 * The worker does I/O by itself only between `enter` and `leave`; the main thread shuts the gate and waits until the worker
 * is outside. Both sides store first and look afterwards (sequentially consistent, as all Atomics), so that one of them always
 * sees the other. The worker never waits at the gate: a request that finds it shut goes to the main thread.
 */

const OPEN = 0;
const INSIDE = 1;
const SIGNAL = 2;
const LENT = 3;
const WORDS = 4;

/** Bits of what a message is about. */
export const Signal = {
  message: 1,
  /** The plan that the worker runs on is not valid any more. */
  plan: 2,
} as const;

export class Gate {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(memory = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** Worker: true lets it do one piece of I/O; `leave` must follow. False: the gate is shut, or a new plan waits. */
  enter(): boolean {
    Atomics.store(this.#words, INSIDE, 1);
    // In this order: whoever opens the gate with a new plan has signalled it before.
    if (Atomics.load(this.#words, OPEN) === 1) {
      if ((Atomics.load(this.#words, SIGNAL) & Signal.plan) === 0) return true;
    }
    this.leave();
    return false;
  }

  /** Worker. */
  leave(): void {
    Atomics.store(this.#words, INSIDE, 0);
    if (Atomics.load(this.#words, OPEN) === 0) Atomics.notify(this.#words, INSIDE);
  }

  /** Worker, inside: whether the main thread waits for it to leave. */
  get isShutting(): boolean {
    return Atomics.load(this.#words, OPEN) === 0;
  }

  /** Worker: whether messages wait. */
  get signalled(): boolean {
    return Atomics.load(this.#words, SIGNAL) !== 0;
  }

  /** Worker: before it reads its messages, so that one which comes meanwhile signals again. */
  clearSignal(): void {
    Atomics.store(this.#words, SIGNAL, 0);
  }

  /** Worker, inside: parts of files, not copies of them, are on their way to the client. */
  lend(): void {
    Atomics.store(this.#words, LENT, 1);
  }

  /** Main thread: whether the client may not have taken all that was lent. */
  get isLent(): boolean {
    return Atomics.load(this.#words, LENT) === 1;
  }

  /** Main thread, while the worker is outside and the client has everything. */
  clearLent(): void {
    Atomics.store(this.#words, LENT, 0);
  }

  /** Main thread: whether the worker does a piece of I/O now. */
  get isInside(): boolean {
    return Atomics.load(this.#words, INSIDE) === 1;
  }

  /** Main thread: after posting a message, and before opening the gate for it. */
  signal(bits: number): void {
    Atomics.or(this.#words, SIGNAL, bits);
  }

  /** Main thread. */
  open(): void {
    Atomics.store(this.#words, OPEN, 1);
  }

  /** Main thread: resolves when the worker is outside; from then on it stays there until `open`. */
  async shut(): Promise<void> {
    Atomics.store(this.#words, OPEN, 0);
    while (Atomics.load(this.#words, INSIDE) === 1) {
      await Atomics.waitAsync(this.#words, INSIDE, 1).value;
    }
  }

  /** Main thread, once the worker is dead: it may have died inside. */
  abandon(): void {
    Atomics.store(this.#words, OPEN, 0);
    Atomics.store(this.#words, INSIDE, 0);
    Atomics.notify(this.#words, INSIDE);
  }
}
