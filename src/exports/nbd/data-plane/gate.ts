/**
 * The gate between a worker and the main thread: three words of shared memory.
 *
 * The worker does I/O by itself only between `enter` and `leave`; the main thread shuts the gate and waits until the worker
 * is outside. Both sides store first and look afterwards (sequentially consistent, as all Atomics), so that one of them always
 * sees the other. The worker never waits at the gate: a request that finds it shut goes to the main thread.
 */

const OPEN = 0;
const INSIDE = 1;
const SIGNAL = 2;
const WORDS = 3;

export class Gate {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(memory = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** Worker: true lets it do one piece of I/O; `leave` must follow. False: the gate is shut. */
  enter(): boolean {
    Atomics.store(this.#words, INSIDE, 1);
    if (Atomics.load(this.#words, OPEN) === 1) return true;
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

  /** Worker: whether messages wait; looked at inside the gate, so that a new plan is never missed. */
  get signalled(): boolean {
    return Atomics.load(this.#words, SIGNAL) !== 0;
  }

  /** Worker: before it reads its messages, so that one which comes meanwhile signals again. */
  clearSignal(): void {
    Atomics.store(this.#words, SIGNAL, 0);
  }

  /** Main thread: after posting a message, and before opening the gate for it. */
  signal(): void {
    Atomics.store(this.#words, SIGNAL, 1);
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
}
