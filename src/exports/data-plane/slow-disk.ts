/**
 * Whether a worker should leave a disk to the main thread because calls on it wait.
 *
 * A call that waits holds up every other request of its connection, so a disk is not tried again to see whether it became fast:
 * the main thread's answers tell. Only when they come quickly is the disk trusted again, and each time it disappoints
 * soon afterwards it stays suspected for twice as long.
 */

const SLOW_CALL_MS = 2;
/** One alone may be the scheduler's doing; that many in a row, or one this long, are the disk's. */
const SLOW_CALLS = 3;
const VERY_SLOW_CALL_MS = 20;
/** Through the main thread and its pool. */
const QUICK_ANSWER_MS = 5;
const QUICK_ANSWERS = 3;
/** What large requests may take beyond that. */
const BYTES_PER_MS = 256 * 1024;
const SHORTEST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;
/** A disk that was fast for so many times its last pause has redeemed itself. */
const REDEMPTION_PAUSES = 20;

export class SlowDisk {
  #isSuspected = false;
  #slowCallCount = 0;
  #quickAnswerCount = 0;
  #pauseMs = SHORTEST_PAUSE_MS;
  #pausedUntilMs = 0;
  #trustedSinceMs = Number.NEGATIVE_INFINITY;
  /** Trusted again, and no call was made since. */
  #onProbation = false;

  /** True: the request should go to the main thread. */
  isSuspected(nowMs: number): boolean {
    if (!this.#isSuspected) return false;
    if (nowMs < this.#pausedUntilMs || this.#quickAnswerCount < QUICK_ANSWERS) return true;
    this.#isSuspected = false;
    this.#onProbation = true;
    this.#trustedSinceMs = nowMs;
    return false;
  }

  /** A call of the worker's own. */
  noteCall(durationMs: number, lengthBytes: number, nowMs: number): void {
    const surplusMs = durationMs - lengthBytes / BYTES_PER_MS;
    if (surplusMs < SLOW_CALL_MS) {
      this.#slowCallCount = 0;
      this.#onProbation = false;
      return;
    }
    this.#slowCallCount += 1;
    const isSure = this.#slowCallCount >= SLOW_CALLS || surplusMs >= VERY_SLOW_CALL_MS;
    if (isSure || this.#onProbation) this.#suspect(nowMs);
  }

  /** A request that went to the main thread on account of this disk. */
  noteAnswer(durationMs: number, lengthBytes: number): void {
    const isQuick = durationMs - lengthBytes / BYTES_PER_MS < QUICK_ANSWER_MS;
    this.#quickAnswerCount = isQuick ? this.#quickAnswerCount + 1 : 0;
  }

  #suspect(nowMs: number): void {
    const wasGoodForMs = nowMs - this.#trustedSinceMs;
    const isRedeemed = wasGoodForMs > REDEMPTION_PAUSES * this.#pauseMs;
    this.#pauseMs = isRedeemed ? SHORTEST_PAUSE_MS : Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#pausedUntilMs = nowMs + this.#pauseMs;
    this.#isSuspected = true;
    this.#slowCallCount = 0;
    this.#quickAnswerCount = 0;
  }
}
