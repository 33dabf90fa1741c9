/** A terminal that is redrawn in place, with plain ANSI sequences, and given back as it was. */

import type { ReadStream, WriteStream } from 'node:tty';
import type { Screen } from './watch-frame.ts';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
/** A screen of its own, so that what was there comes back. */
const OTHER_SCREEN = '\u001b[?1049h';
const FIRST_SCREEN = '\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const CTRL_C = '\u0003';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Draw = (size: Screen) => string[];

export class WatchScreen implements Disposable {
  /** Resolves when somebody pressed q or Ctrl-C, or a signal came. */
  readonly ended: Promise<void>;
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  #end: () => void = () => {};
  #draw: Draw | null = null;

  constructor(input: ReadStream, output: WriteStream) {
    this.#input = input;
    this.#output = output;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    if (input.isTTY) {
      input.setRawMode(true);
      input.on('data', this.#readKey);
    }
    output.on('resize', this.#redraw);
    for (const signal of SIGNALS) process.on(signal, this.#end);
    output.write(`${OTHER_SCREEN}${HIDE_CURSOR}`);
  }

  draw(draw: Draw): void {
    this.#draw = draw;
    this.#redraw();
  }

  readonly #redraw = (): void => {
    // A terminal that does not know its size says 0.
    const size = { columns: this.#output.columns || 80, lines: this.#output.rows || 24 };
    const lines = this.#draw?.(size) ?? [];
    this.#output.write(
      `${HOME}${lines.map((line) => `${line}${CLEAR_LINE}\r\n`).join('')}${CLEAR_BELOW}`,
    );
  };

  readonly #readKey = (data: Buffer): void => {
    if (/[qQ]/.test(data.toString()) || data.includes(CTRL_C)) this.#end();
  };

  [Symbol.dispose](): void {
    this.#output.off('resize', this.#redraw);
    for (const signal of SIGNALS) process.off(signal, this.#end);
    if (this.#input.isTTY) {
      this.#input.off('data', this.#readKey);
      this.#input.setRawMode(false);
      this.#input.pause();
    }
    this.#output.write(`${SHOW_CURSOR}${FIRST_SCREEN}`);
  }
}
