/**
 * What a sector may hold: every change of it that nothing certain has undone yet.
 *
 * Rules
 * - A change happens at some moment between its start and its end; a failed one perhaps never.
 * - One that ended well undoes those that ended before it began. Of changes that overlapped either may be the last.
 * - What ended well before a flush began that ended well, or had FUA, is durable. After a crash any version may be there that no
 *   durable one undid: so the last flushed one, and everything since, whether it was answered or not.
 */

/** Content that nobody promised anything about. */
export const ANYTHING = -1;

/** A write, discard or zeroing, in moments of the model's own count. */
export interface Change {
  start: number;
  /** Infinity: under way. */
  end: number;
  /** It ended without an error. */
  isDone: boolean;
  isFua: boolean;
}

/** What one change put, or may have put, into one sector. */
export interface Version {
  readonly change: Change;
  readonly stamp: number;
  /** How it was encoded on its way down; through another lens it looks like anything. */
  readonly lens: string;
  /** Whose flush makes it durable. */
  readonly owner: Cell;
  isDurable: boolean;
  /** One of those that a crash left open: another one that is read rules it out for good. */
  readonly isAlternative: boolean;
}

const PAST: Change = { start: -1, end: -1, isDone: true, isFua: false };
/** A cell with more versions is tidied up. */
const TIDY_COUNT = 6;

export class Cell {
  /** What a discard leaves: a stamp, or `ANYTHING`. */
  readonly discarded: number;
  /** As which that is encoded. */
  readonly discardedLens: string;
  #versions: Version[];
  /** The version that a read found while no change was under way. */
  #seen: { version: Version; tick: number } | null = null;

  constructor(stamp: number, options: { lens?: string; discarded?: number } = {}) {
    const { lens = '', discarded = 0 } = options;
    this.discarded = discarded;
    this.discardedLens = lens;
    this.#versions = [this.#version(PAST, stamp, lens, { isDurable: true })];
  }

  #version(
    change: Change,
    stamp: number,
    lens: string,
    { isDurable = false, isAlternative = false },
  ): Version {
    return { change, stamp, lens, owner: this, isDurable, isAlternative };
  }

  get versions(): readonly Version[] {
    return this.#versions;
  }

  /** `horizon`: nothing that is under way began before it. */
  begin(change: Change, stamp: number, lens: string, horizon: number): void {
    if (this.#versions.length > TIDY_COUNT) this.#tidy(horizon);
    this.#versions.push(this.#version(change, stamp, lens, {}));
  }

  /** Forgets what neither a reader nor a crash can bring back. */
  #tidy(horizon: number): void {
    const final = this.#versions.filter(
      (version) => isDurable(version) && version.change.end < horizon,
    );
    this.#versions = this.#versions.filter(
      ({ change }) => !final.some((other) => change.end < other.change.start),
    );
  }

  /** What a read that began at `from`, and ends now, may find. */
  readable(from: number): Version[] {
    return this.#versions.filter((version) => this.#isReadable(version, from));
  }

  #isReadable(version: Version, from: number): boolean {
    const seen = this.#seen;
    if (seen !== null && seen.tick <= from && seen.version !== version) {
      if (version.change.end < seen.tick) return false;
    }
    return !this.#versions.some(
      ({ change }) => change.isDone && version.change.end < change.start && change.end < from,
    );
  }

  /** A read that began at `from` found `version`: so it stays until the next change. */
  see(version: Version, from: number): void {
    if (this.#versions.some(({ change }) => change.end >= from)) return;
    this.#seen = { version, tick: from };
    if (!version.isAlternative) return;
    this.#versions = this.#versions.filter((other) => other === version || !other.isAlternative);
  }

  /** A flush that began at `from` ended well. */
  flush(from: number): void {
    for (const version of this.#versions) {
      const { change, owner } = version;
      if (change.isDone && change.end < from && owner === this) version.isDurable = true;
    }
  }

  /** From now on it has what it had, or what `other` has; nothing is under way in either. */
  blend(other: Cell): void {
    const all = [...this.#left(), ...other.#left()];
    this.#seen = null;
    this.#versions = all.map(({ stamp, lens }) => {
      return this.#version(PAST, stamp, lens, { isDurable: true, isAlternative: true });
    });
  }

  /** What no durable change undid. */
  #left(): Version[] {
    const durable = this.#versions.filter(isDurable);
    return this.#versions.filter(
      ({ change }) => !durable.some((other) => change.end < other.change.start),
    );
  }

  /** The power failed: whatever may still be there, is there or not, and stays. */
  crash(): void {
    const left = this.#left();
    this.#seen = null;
    this.#versions = left.map(({ stamp, lens }) =>
      this.#version(PAST, stamp, lens, { isDurable: true, isAlternative: left.length > 1 }),
    );
  }

  /**
   * From `tick` on holds what `other` holds, which goes its own way; what of it is durable remains the other's affair. A change that is under way may have come so far, if
   * it is a part of a request to something above, or may not; whatever becomes of it, here it is over.
   */
  inherit(other: Cell, tick: number): void {
    this.#versions = other.#versions.map((version) => {
      const { change } = version;
      if (change.end !== Number.POSITIVE_INFINITY) return version;
      return { ...version, change: { ...change, end: tick, isDone: false } };
    });
    this.#seen = other.#seen;
  }
}

function isDurable({ isDurable: flushed, change }: Version): boolean {
  return change.isDone && (flushed || change.isFua);
}
