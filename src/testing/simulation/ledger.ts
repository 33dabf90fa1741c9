/** The simulation's own count of moments, of contents, and of what went wrong first. */

export type FailureKind = 'content' | 'answer' | 'hang' | 'leak' | 'refusal' | 'exception';

export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
}

interface StampRange {
  first: number;
  count: number;
  text: string;
}

export class Ledger {
  failure: Failure | null = null;
  /** How often what happened, for statistics. */
  readonly counts = new Map<string, number>();
  #tick = 0;
  #nextStamp = 1;
  #ranges: StampRange[] = [];
  #traceHash = 0x811c9dc5;

  get tick(): number {
    return this.#tick;
  }

  /** The next moment. */
  step(): number {
    this.#tick += 1;
    return this.#tick;
  }

  /** The first of `count` numbers that no sector had before. `text`: whose they are, for messages. */
  takeStamps(count: number, text: string): number {
    const first = this.#nextStamp;
    this.#nextStamp += count;
    this.#ranges.push({ first, count, text });
    return first;
  }

  describeStamp(stamp: number | null): string {
    if (stamp === null) return 'a sector that nobody wrote';
    if (stamp === 0) return 'zeroes';
    const range = this.#ranges.find(({ first, count }) => stamp >= first && stamp < first + count);
    return range
      ? `sector ${stamp - range.first} of ${range.text}`
      : `number ${stamp} that nobody wrote`;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Only the first counts: what comes after it may follow from it. */
  report(kind: FailureKind, message: string): void {
    this.failure ??= { kind, message };
  }

  /** What happened, for the comparison of two runs. */
  trace(event: string): void {
    let hash = this.#traceHash;
    for (let index = 0; index < event.length; index += 1) {
      hash = Math.imul(hash ^ event.charCodeAt(index), 0x01000193);
    }
    this.#traceHash = hash;
  }

  /** Equal for two runs in which the same happened. */
  get traceHash(): number {
    return this.#traceHash >>> 0;
  }
}
