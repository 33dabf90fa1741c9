/** Runs a check that is a function of this process, for one state after another. */

import { systemClock } from '../base/clock.ts';
import { CrashtestDisk } from './crashtest-disk.ts';
import type { OfferedState, Verdict } from './search.ts';
import type { Stage, StagedDisk } from './stage.ts';
import { StateDisk } from './state-disk.ts';

/** What a check knows besides the disk. */
export interface CheckContext {
  /** The last mark before the power cut: what was promised by then. null: nothing was. */
  mark: string | null;
  /** The state's name, which brings it back. */
  state: string;
  /** Aborts when the check takes too long, or the test is interrupted. */
  signal: AbortSignal;
}

/** The state is bad where it throws, rejects, or answers `false`. */
export type CheckFunction = (disk: CrashtestDisk, context: CheckContext) => unknown;

export interface FunctionCheckOptions {
  check: CheckFunction;
  stage: Stage;
  /** Of its disks. */
  name: string;
  sizeSectors: number;
  timeoutMs: number;
  /** Interrupts the test. */
  signal: AbortSignal | undefined;
}

export class FunctionCheck {
  readonly #options: FunctionCheckOptions;
  #place: { disk: StateDisk; staged: StagedDisk } | null = null;
  #placeCount = 0;

  constructor(options: FunctionCheckOptions) {
    this.#options = options;
  }

  /** null: it was interrupted. */
  async look({ image, mark, word }: OfferedState): Promise<Verdict | null> {
    const { check, signal } = this.#options;
    this.#place ??= await this.#newPlace();
    const { disk, staged } = this.#place;
    disk.insert(image);
    const volume = new CrashtestDisk('the disk', disk, staged);
    const over = new AbortController();
    const verdict = this.#verdict(async () =>
      check(volume, { mark, state: word, signal: over.signal }),
    );
    const result = await verdict;
    disk.insert(null);
    over.abort();
    // One that goes on, though nobody waits, must not meet the next state.
    if (result === 'late') this.#place = null;
    void volume.close();
    if (signal?.aborted) return null;
    return result === 'late' ? this.#lateVerdict() : result;
  }

  /** Settles with the check, when it is late, or when the test is interrupted. */
  #verdict(run: () => Promise<unknown>): Promise<Verdict | 'late'> {
    const { timeoutMs, signal } = this.#options;
    return new Promise((resolve) => {
      const giveUp = () => settle('late');
      const timer = systemClock.after(timeoutMs, giveUp);
      const settle = (result: Verdict | 'late') => {
        timer.cancel();
        signal?.removeEventListener('abort', giveUp);
        resolve(result);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      run().then(
        (answer) => settle(answer === false ? bad('The check answered false') : GOOD),
        (error: unknown) => settle(bad(describeError(error), error)),
      );
    });
  }

  #lateVerdict(): Verdict {
    return bad(`The check did not end within ${this.#options.timeoutMs / 1000} s`);
  }

  async #newPlace(): Promise<{ disk: StateDisk; staged: StagedDisk }> {
    const { stage, name, sizeSectors } = this.#options;
    this.#placeCount += 1;
    const operand = `${name}-${this.#placeCount}`;
    const disk = new StateDisk({ sizeSectors, operand });
    return { disk, staged: await stage.add(operand, disk) };
  }
}

const GOOD: Verdict = { isGood: true, output: '' };

function bad(output: string, cause?: unknown): Verdict {
  return { isGood: false, output, cause };
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
