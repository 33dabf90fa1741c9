/** How far the search is: a line that is drawn over on a terminal, a line now and then elsewhere. */

import type { SearchProgress } from '../../crashtest/search.ts';
import type { Budget } from './crashtest-command.ts';

const TERMINAL_EVERY_MS = 100;
const PLAIN_EVERY_MS = 10_000;
const BAR_CELLS = 24;

export interface ProgressTarget {
  write(text: string): void;
  isTerminal: boolean;
}

export class Progress {
  readonly #target: ProgressTarget;
  readonly #budget: Budget;
  #saidMs = 0;
  #hasLine = false;

  constructor(target: ProgressTarget, budget: Budget) {
    this.#target = target;
    this.#budget = budget;
  }

  report(progress: SearchProgress): void {
    const everyMs = this.#target.isTerminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS;
    if (progress.elapsedMs - this.#saidMs < everyMs) return;
    this.#saidMs = progress.elapsedMs;
    const line = progressLine(progress, this.#budget);
    this.#target.write(this.#target.isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
    this.#hasLine = this.#target.isTerminal;
  }

  /** Nothing of it stays on a terminal. */
  end(): void {
    if (this.#hasLine) this.#target.write('\r\x1b[K');
    this.#hasLine = false;
  }
}

/** `[#########---------------] 812 states, 240/s, 0 bad` */
export function progressLine(progress: SearchProgress, budget: Budget): string {
  const { stateCount, elapsedMs, failureCount, phase } = progress;
  const part = Math.max(
    stateCount / (budget.stateCount ?? Number.POSITIVE_INFINITY),
    elapsedMs / (budget.timeMs ?? Number.POSITIVE_INFINITY),
  );
  const filled = Math.min(BAR_CELLS, Math.floor(part * BAR_CELLS));
  const bar = `${'#'.repeat(filled)}${'-'.repeat(BAR_CELLS - filled)}`;
  const rate = elapsedMs > 0 ? Math.round((stateCount * 1000) / elapsedMs) : 0;
  const doing = phase === 'shrink' ? ', making the bad state smaller' : '';
  return `[${bar}] ${stateCount} states, ${rate}/s, ${failureCount} bad${doing}`;
}
