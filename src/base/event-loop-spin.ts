/**
 * Keeps the event loop of this thread from going to sleep while the next message of a conversation is about to arrive: being woken
 * costs more than a short message does. Everything else is served meanwhile. Only conversations that are quick enough for it to pay
 * are waited for, so that a slow one costs nothing.
 */
export class EventLoopSpin {
  /** The longest wait. */
  readonly #limitMs: number;
  #startMs = 0;
  #isWaiting = false;
  #isSpinning = false;
  #wasQuick = false;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** The other side's turn begins. */
  await(): void {
    this.#startMs = performance.now();
    this.#isWaiting = true;
    if (this.#isSpinning || !this.#wasQuick) return;
    this.#isSpinning = true;
    setImmediate(this.#turn);
  }

  /** It has sent something, or never will. */
  arrived(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#wasQuick = performance.now() - this.#startMs <= this.#limitMs;
  }

  readonly #turn = () => {
    this.#isSpinning = this.#isWaiting && performance.now() - this.#startMs < this.#limitMs;
    if (this.#isSpinning) setImmediate(this.#turn);
  };
}
