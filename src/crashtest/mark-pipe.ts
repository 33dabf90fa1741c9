/**
 * The named pipe by which a workload says where it is: each line becomes a mark. It is emptied before each request to the disk, so that a mark
 * stands where it was said: what was acknowledged before is before it, what the workload asked for afterwards is behind it.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { type Clock, systemClock, type Timer } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';

/** A workload that says much and asks for little must not wait for the pipe. */
const LOOK_EVERY_MS = 20;
const BUFFER_BYTES = 65_536;

export class MarkPipe implements Disposable {
  readonly path: string;
  readonly #fd: number;
  readonly #onMark: (text: string) => void;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  readonly #clock: Clock;
  #rest = Buffer.alloc(0);
  #timer: Timer | null = null;
  #isClosed = false;

  /** Throws DmError. */
  constructor(path: string, onMark: (text: string) => void, clock: Clock = systemClock) {
    const { status, error } = spawnSync('mkfifo', ['-m', '600', path], { stdio: 'ignore' });
    if (status !== 0) {
      const reason = error?.message ?? `mkfifo ended with ${status}`;
      throw new DmError('EIO', `Cannot make the pipe ${path}: ${reason}`);
    }
    this.path = path;
    this.#onMark = onMark;
    this.#clock = clock;
    // For writing too: so it has no end while nobody has it open.
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#timer = this.#clock.after(LOOK_EVERY_MS, () => {
      this.drain();
      this.#lookAgain();
    });
  }

  /** Every line said so far becomes a mark now. */
  drain(): void {
    if (this.#isClosed) return;
    for (let count = this.#read(); count > 0; count = this.#read()) {
      const bytes = Buffer.concat([this.#rest, this.#buffer.subarray(0, count)]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      this.#rest = bytes.subarray(end);
      for (const line of bytes.toString('utf8', 0, end).split('\n').slice(0, -1)) {
        this.#onMark(line);
      }
    }
  }

  /** 0: nothing is there. */
  #read(): number {
    try {
      return readSync(this.#fd, this.#buffer);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    closeSync(this.#fd);
  }
}
