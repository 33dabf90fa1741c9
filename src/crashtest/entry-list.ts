/** The entries of a log in typed arrays: 33 bytes for each and at most as much room again, so that millions of writes are no burden. */

import { assert } from '../base/assert.ts';
import type { LogEntry, LogKind } from './crash-log.ts';

const KINDS: readonly LogKind[] = ['write', 'zeroes', 'discard', 'flush', 'mark'];
const MARK = KINDS.indexOf('mark');
/** The low bits of an entry's byte are its kind. */
const KIND_MASK = 7;
const FLUSH = 8;
const FUA = 16;

const FIRST_CAPACITY = 1024;

export class EntryList implements Iterable<LogEntry> {
  #count = 0;
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #sectors = new Float64Array(FIRST_CAPACITY);
  #sectorCounts = new Float64Array(FIRST_CAPACITY);
  #dataSectors = new Float64Array(FIRST_CAPACITY);
  /** NaN: not known. */
  #timesMs = new Float64Array(FIRST_CAPACITY);
  readonly #texts = new Map<number, string>();
  readonly #marks: number[] = [];

  get length(): number {
    return this.#count;
  }

  /** The numbers of the marks, in order. */
  get marks(): readonly number[] {
    return this.#marks;
  }

  add(entry: LogEntry): void {
    const number = this.#count;
    if (number === this.#bytes.length) this.#grow();
    const { kind, flush, fua } = entry;
    this.#bytes[number] = KINDS.indexOf(kind) | (flush ? FLUSH : 0) | (fua ? FUA : 0);
    this.#sectors[number] = entry.sector;
    this.#sectorCounts[number] = entry.sectorCount;
    this.#dataSectors[number] = entry.dataSector;
    this.#timesMs[number] = entry.timeMs ?? Number.NaN;
    if (kind === 'mark') {
      this.#texts.set(number, entry.text);
      this.#marks.push(number);
    }
    this.#count = number + 1;
  }

  at(number: number): LogEntry {
    assert(number >= 0 && number < this.#count, `entry ${number} is one of ${this.#count}`);
    const byte = this.#bytes[number]!;
    const timeMs = this.#timesMs[number]!;
    return {
      kind: KINDS[byte & KIND_MASK]!,
      flush: (byte & FLUSH) !== 0,
      fua: (byte & FUA) !== 0,
      sector: this.#sectors[number]!,
      sectorCount: this.#sectorCounts[number]!,
      dataSector: this.#dataSectors[number]!,
      text: this.#texts.get(number) ?? '',
      timeMs: Number.isNaN(timeMs) ? null : timeMs,
    };
  }

  /** It changes sectors, and they are not certain to be on the disk before something flushes. */
  isLosable(number: number): boolean {
    return this.#sectorCounts[number]! > 0 && (this.#bytes[number]! & FUA) === 0;
  }

  /** It changes sectors, and they are on the disk once it ended. */
  isForced(number: number): boolean {
    return this.#sectorCounts[number]! > 0 && (this.#bytes[number]! & FUA) !== 0;
  }

  /** Everything before it is durable from it on. */
  flushes(number: number): boolean {
    return (this.#bytes[number]! & FLUSH) !== 0;
  }

  /** A flush, or a write with FUA: something is certain once it ended. */
  makesDurable(number: number): boolean {
    return (this.#bytes[number]! & (FLUSH | FUA)) !== 0;
  }

  /** A place that the workload chose: something became durable, or was said. */
  isLandmark(number: number): boolean {
    return this.makesDurable(number) || (this.#bytes[number]! & KIND_MASK) === MARK;
  }

  /** Something behind the first `start` entries changes the disk. */
  hasWritesFrom(start: number): boolean {
    for (let number = start; number < this.#count; number += 1) {
      if (this.#sectorCounts[number]! > 0) return true;
    }
    return false;
  }

  *[Symbol.iterator](): Generator<LogEntry, void> {
    for (let number = 0; number < this.#count; number += 1) yield this.at(number);
  }

  #grow(): void {
    const capacity = this.#count * 2;
    const larger = <T extends Uint8Array | Float64Array>(wider: T, narrow: T): T => {
      wider.set(narrow);
      return wider;
    };
    this.#bytes = larger(new Uint8Array(capacity), this.#bytes);
    this.#sectors = larger(new Float64Array(capacity), this.#sectors);
    this.#sectorCounts = larger(new Float64Array(capacity), this.#sectorCounts);
    this.#dataSectors = larger(new Float64Array(capacity), this.#dataSectors);
    this.#timesMs = larger(new Float64Array(capacity), this.#timesMs);
  }
}
