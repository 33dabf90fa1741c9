/**
 * What two threads share while they do one piece of cipher work together: a few words, and nothing else that is waited for.
 *
 * The work lies there as a row of pieces. Each thread draws tickets, one per piece, until none is left, so that neither waits for the other while there
 * is work, and all of it gets done even if the assistant never wakes.
 *
 * Invariants
 * - The assistant draws only while `INSIDE` is 1. The worker changes the words of a job only while tickets are closed and `INSIDE` was 0 after they closed,
 *   so whoever holds a ticket of a job sees that job's words.
 * - Both sides store first and look afterwards (sequentially consistent, as all Atomics).
 */

import { type Job, pieceCount } from './job.ts';

/** 32-bit words. */
const TURN = 0;
const READY = 1;
const INSIDE = 2;
const TICKET = 3;
const PIECES = 4;
const FAILED = 5;
const GONE = 6;
const CLOSED_COUNT = 7;
const ENDING = 8;
const CIPHER = 9;
const ENCRYPTING = 10;
const SOURCE = 11;
const TARGET = 12;
/** Even: doubles follow. */
const INT_COUNT = 14;

/** Doubles behind them. */
const SOURCE_OFFSET = 0;
const TARGET_OFFSET = 1;
const LENGTH_BYTES = 2;
const SECTOR = 3;
const DOUBLES_AT = INT_COUNT * Int32Array.BYTES_PER_ELEMENT;
const TOTAL_BYTES = DOUBLES_AT + 4 * Float64Array.BYTES_PER_ELEMENT;

/** More than any job has pieces. */
const NO_TICKET = 0x4000_0000;
/** The longest sleep, after which the other side is looked at again. */
const SLEEP_MS = 1000;
/** Looks before a sleep: the rest of a piece takes microseconds, as long as its thread runs. */
const LOOKS = 2000;

export class SharedWords {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(memory = createMemory()) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, INT_COUNT);
    this.#doubles = new Float64Array(memory, DOUBLES_AT);
  }

  /** Worker: whether the assistant is there to take work. */
  get isReady(): boolean {
    return Atomics.load(this.#words, READY) === 1 && !this.isGone;
  }

  /** The assistant ended: nothing of it is waited for any more. */
  get isGone(): boolean {
    return Atomics.load(this.#words, GONE) === 1;
  }

  get hasFailed(): boolean {
    return Atomics.load(this.#words, FAILED) === 1;
  }

  /** Worker: puts work there. Tickets are closed, and the assistant was outside since. */
  publish(job: Job): void {
    const words = this.#words;
    const doubles = this.#doubles;
    words[CIPHER] = job.cipher;
    words[ENCRYPTING] = job.encrypting ? 1 : 0;
    words[SOURCE] = job.source;
    words[TARGET] = job.target;
    doubles[SOURCE_OFFSET] = job.sourceOffset;
    doubles[TARGET_OFFSET] = job.targetOffset;
    doubles[LENGTH_BYTES] = job.lengthBytes;
    doubles[SECTOR] = job.sector;
    Atomics.store(words, PIECES, pieceCount(job));
    Atomics.store(words, TICKET, 0);
    this.wake();
  }

  /** The number of a piece that nobody else does; -1 when there is none. The assistant must be inside. */
  draw(): number {
    const ticket = Atomics.add(this.#words, TICKET, 1);
    return ticket < Atomics.load(this.#words, PIECES) ? ticket : -1;
  }

  /** Whoever holds a ticket. */
  read(job: Job): void {
    const words = this.#words;
    const doubles = this.#doubles;
    job.cipher = words[CIPHER]!;
    job.encrypting = words[ENCRYPTING] === 1;
    job.source = words[SOURCE]!;
    job.target = words[TARGET]!;
    job.sourceOffset = doubles[SOURCE_OFFSET]!;
    job.targetOffset = doubles[TARGET_OFFSET]!;
    job.lengthBytes = doubles[LENGTH_BYTES]!;
    job.sector = doubles[SECTOR]!;
  }

  /** Worker: after its last ticket; answers when the assistant has done all it drew. False: it ended with a piece undone. */
  finish(): boolean {
    Atomics.store(this.#words, TICKET, NO_TICKET);
    // Once outside it may come in again, and find no ticket.
    return this.#waitWhile(INSIDE, 1) && !this.hasFailed;
  }

  /** After what the assistant shall look at. */
  wake(): void {
    Atomics.add(this.#words, TURN, 1);
    Atomics.notify(this.#words, TURN);
  }

  /** Worker: until the assistant closed so many ciphers in all. */
  waitClosed(count: number): void {
    for (let seen = this.#closedCount; seen !== count && !this.isGone; seen = this.#closedCount) {
      this.#waitWhile(CLOSED_COUNT, seen);
    }
  }

  get #closedCount(): number {
    return Atomics.load(this.#words, CLOSED_COUNT);
  }

  /** Assistant. */
  noteClosed(): void {
    Atomics.add(this.#words, CLOSED_COUNT, 1);
    Atomics.notify(this.#words, CLOSED_COUNT);
  }

  /** Assistant: from now on there are two. */
  begin(): void {
    Atomics.store(this.#words, READY, 1);
  }

  get turn(): number {
    return Atomics.load(this.#words, TURN);
  }

  /** Assistant: sleeps until there is a turn after `seen`. */
  waitTurn(seen: number): void {
    Atomics.wait(this.#words, TURN, seen);
  }

  /** Main thread: the worker is done with it. */
  end(): void {
    Atomics.store(this.#words, ENDING, 1);
    this.wake();
  }

  /** Assistant. */
  get isEnding(): boolean {
    return Atomics.load(this.#words, ENDING) === 1;
  }

  /** Assistant. */
  enter(): void {
    Atomics.store(this.#words, INSIDE, 1);
  }

  /** Assistant. */
  leave(): void {
    Atomics.store(this.#words, INSIDE, 0);
    Atomics.notify(this.#words, INSIDE);
  }

  /** Assistant: a piece could not be done. */
  fail(): void {
    Atomics.store(this.#words, FAILED, 1);
  }

  /** Whoever sees it end. */
  noteGone(): void {
    Atomics.store(this.#words, GONE, 1);
    for (const word of [INSIDE, CLOSED_COUNT, TURN]) Atomics.notify(this.#words, word);
  }

  /** False: the assistant is gone, and it will never change. */
  #waitWhile(word: number, value: number): boolean {
    for (let look = 0; look < LOOKS; look += 1) {
      if (Atomics.load(this.#words, word) !== value) return true;
    }
    while (Atomics.load(this.#words, word) === value) {
      if (this.isGone) return false;
      Atomics.wait(this.#words, word, value, SLEEP_MS);
    }
    return true;
  }
}

function createMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(TOTAL_BYTES);
  Atomics.store(new Int32Array(memory), TICKET, NO_TICKET);
  return memory;
}
