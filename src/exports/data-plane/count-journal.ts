/**
 * What a worker counted for the request at hand, so that it can be taken back when the request goes to the main thread after
 * all: that one counts it again, on every device of the stack.
 */

import type { Bio, Op } from '../../core/bio.ts';
import { IoStatistics } from '../../core/statistics.ts';

export class CountJournal {
  #count = 0;
  readonly #statistics: IoStatistics[] = [];
  readonly #ops: Op[] = [];
  readonly #sectorCounts: number[] = [];
  readonly #durationsMs: number[] = [];

  note(statistics: IoStatistics, bio: Bio): void {
    const index = this.#count;
    this.#statistics[index] = statistics;
    this.#ops[index] = bio.op;
    this.#sectorCounts[index] = bio.sectorCount;
    this.#durationsMs[index] = bio.endMs - bio.startMs;
    this.#count = index + 1;
  }

  /** The counts stay: a new request begins. */
  clear(): void {
    this.#count = 0;
  }

  takeBack(): void {
    for (let index = 0; index < this.#count; index += 1) {
      const [op, sectorCount] = [this.#ops[index]!, this.#sectorCounts[index]!];
      this.#statistics[index]!.revoke(op, sectorCount, this.#durationsMs[index]!);
    }
    this.#count = 0;
  }
}

/** The counters of one device of a worker's copy. Whatever fails there is done again by the main thread. */
export class ReplicaStatistics extends IoStatistics {
  readonly #journal: CountJournal;

  constructor(memory: SharedArrayBuffer, offsetBytes: number, journal: CountJournal) {
    super(memory, offsetBytes);
    this.#journal = journal;
  }

  override finish(bio: Bio): void {
    if (bio.error !== 0) {
      this.withdraw();
      return;
    }
    super.finish(bio);
    this.#journal.note(this, bio);
  }
}
