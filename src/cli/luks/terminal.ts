/**
 * Questions at the terminal: passphrases without echo, and confirmations. A passphrase goes byte by byte from a descriptor of our own into a `Secret`;
 * Node's stream of the terminal only sets its mode and never reads, so that no buffer of Node's holds what was typed.
 */

import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { sleep, systemClock } from '../../base/clock.ts';
import { Secret } from '../../crypto/secret.ts';
import { CommandError } from '../failure.ts';
import { INTERRUPTED, WRONG_PARAMETERS } from './status.ts';

/** cryptsetup's limit for what is typed. */
const MAX_TYPED_BYTES = 512;
/** The terminal is asked for keys this often: nobody types faster, and a blocked read could not be given up. */
const POLL_MS = 15;

export interface AskOptions {
  /** 0 or absent: as long as it takes. */
  timeoutMs?: number | undefined;
}

/** Who answers: a terminal, or a test. */
export interface Terminal {
  askSecret(prompt: string, options?: AskOptions): Promise<Secret>;
  /** A line, as typed. */
  askLine(prompt: string): Promise<string>;
}

export const terminal: Terminal = {
  askSecret: (prompt, options = {}) => withTerminal((fd) => readSecret(fd, prompt, options)),
  askLine: (prompt) => withTerminal((fd) => readLine(fd, prompt)),
};

const PATH = '/dev/tty';

async function withTerminal<T>(ask: (fd: number) => Promise<T>): Promise<T> {
  let fd: number;
  try {
    fd = openSync(PATH, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch (error) {
    const advice =
      'there is no terminal: give --key-file FILE, or the passphrase on standard input';
    throw new CommandError('Error reading passphrase from terminal.', {
      status: WRONG_PARAMETERS,
      details: [advice],
      cause: error,
    });
  }
  try {
    return await ask(fd);
  } finally {
    closeSync(fd);
  }
}

async function readSecret(fd: number, prompt: string, { timeoutMs }: AskOptions): Promise<Secret> {
  // Raw first: what is typed from the prompt on must not be seen.
  const mode = rawMode();
  using typed = new TypedSecret();
  try {
    writeSync(fd, prompt);
    for await (const key of keys(fd, timeoutMs)) {
      if (typed.press(key) === 'done') break;
    }
    return typed.take();
  } finally {
    mode.restore();
    writeSync(fd, '\n');
  }
}

/** Node gives the terminal back before SIGINT or SIGTERM ends it, but not for these. */
const ENDING_SIGNALS = ['SIGHUP', 'SIGQUIT'] as const;

/** Without echo, and with Ctrl-C as a key: whatever ends the question gives the terminal back first. */
function rawMode(): { restore(): void } {
  const stream = new ReadStream(openSync(PATH, constants.O_RDWR | constants.O_NOCTTY));
  const restore = () => {
    for (const signal of ENDING_SIGNALS) process.off(signal, end);
    stream.setRawMode(false);
    stream.destroy();
  };
  const end = (signal: NodeJS.Signals) => {
    restore();
    process.kill(process.pid, signal);
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, end);
  stream.setRawMode(true);
  return { restore };
}

/** Throws CommandError when time is up or the terminal is gone. */
async function* keys(fd: number, timeoutMs: number | undefined): AsyncGenerator<number> {
  const deadlineMs = timeoutMs ? systemClock.nowMs() + timeoutMs : Number.POSITIVE_INFINITY;
  using key = Secret.allocate(1);
  for (;;) {
    const count = readNow(fd, key.bytes);
    if (count === 0) throw terminalError('the terminal was closed');
    if (count === 1) {
      yield key.bytes[0]!;
      continue;
    }
    if (systemClock.nowMs() > deadlineMs)
      throw terminalError('nothing was typed in time (--timeout)');
    await sleep(systemClock, POLL_MS);
  }
}

/** null: nothing is there yet. */
function readNow(fd: number, room: Uint8Array): number | null {
  try {
    return readSync(fd, room, 0, room.byteLength, null);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') return null;
    if (code === 'EIO' || code === 'EOF') return 0;
    throw error;
  }
}

function terminalError(reason: string): CommandError {
  return new CommandError('Error reading passphrase from terminal.', {
    status: WRONG_PARAMETERS,
    details: [reason],
  });
}

const Key = {
  CTRL_C: 0x03,
  CTRL_D: 0x04,
  BACKSPACE: 0x08,
  LINE_FEED: 0x0a,
  RETURN: 0x0d,
  CTRL_U: 0x15,
  CTRL_BACKSLASH: 0x1c,
  DELETE: 0x7f,
} as const;

/** What has been typed so far. */
export class TypedSecret implements Disposable {
  readonly #secret = Secret.allocate(MAX_TYPED_BYTES);
  #lengthBytes = 0;

  press(key: number): 'more' | 'done' {
    switch (key) {
      case Key.CTRL_C:
      case Key.CTRL_BACKSLASH:
        throw new CommandError('Interrupted.', { status: INTERRUPTED });
      case Key.RETURN:
      case Key.LINE_FEED:
        return 'done';
      case Key.CTRL_D:
        // The end of what is typed: of nothing at all it is no passphrase, not an empty one.
        if (this.#lengthBytes === 0) throw terminalError('Ctrl-D: nothing was typed');
        return 'done';
      case Key.BACKSPACE:
      case Key.DELETE:
        this.#eraseCharacter();
        return 'more';
      case Key.CTRL_U:
        this.#lengthBytes = 0;
        return 'more';
      default:
        this.#append(key);
        return 'more';
    }
  }

  /** A character of several bytes goes as a whole. */
  #eraseCharacter(): void {
    const { bytes } = this.#secret;
    const isContinuation = () => (bytes[this.#lengthBytes]! & 0xc0) === 0x80;
    if (this.#lengthBytes === 0) return;
    do {
      this.#lengthBytes -= 1;
    } while (this.#lengthBytes > 0 && isContinuation());
  }

  #append(key: number): void {
    if (this.#lengthBytes === MAX_TYPED_BYTES) {
      throw terminalError(
        `a typed passphrase has at most ${MAX_TYPED_BYTES} bytes; use --key-file`,
      );
    }
    this.#secret.bytes[this.#lengthBytes] = key;
    this.#lengthBytes += 1;
  }

  take(): Secret {
    return Secret.from(this.#secret.bytes.subarray(0, this.#lengthBytes));
  }

  [Symbol.dispose](): void {
    this.#secret.wipe();
  }
}

/** The terminal edits and echoes; it is no secret. */
async function readLine(fd: number, prompt: string): Promise<string> {
  writeSync(fd, prompt);
  const bytes: number[] = [];
  try {
    for await (const key of keys(fd, undefined)) {
      if (key === Key.LINE_FEED || key === Key.RETURN) break;
      if (bytes.length < MAX_TYPED_BYTES) bytes.push(key);
    }
  } catch (error) {
    writeSync(fd, '\n');
    throw new CommandError('Error reading response from terminal.', {
      details: ['no answer; nothing was changed'],
      cause: error,
    });
  }
  return Buffer.from(bytes).toString();
}
