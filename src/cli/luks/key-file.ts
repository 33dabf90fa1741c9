/**
 * Passphrases from files and from standard input, by cryptsetup's rules: a key file is taken as it is, newlines and all, up to 8 MiB; standard
 * input without `--key-file -` ends at the first newline, which does not belong to it. Bytes go from the descriptor into the secret.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { sleep, systemClock } from '../../base/clock.ts';
import { Secret } from '../../crypto/secret.ts';
import { because, CommandError } from '../failure.ts';
import { WRONG_PARAMETERS } from './status.ts';

/** cryptsetup's limit for what says no size. */
export const MAX_KEY_BYTES = 8 * 1024 * 1024;
/** For sizes that were asked for. */
const MAX_ASKED_BYTES = 64 * 1024 * 1024;

export interface KeyRange {
  /** Skipped. */
  offsetBytes?: number | undefined;
  /** Exactly so much; default: up to the end, at most 8 MiB. */
  sizeBytes?: number | undefined;
}

/** Throws CommandError, in cryptsetup's words. */
export async function readKeyFile(path: string, range: KeyRange = {}): Promise<Secret> {
  const fd = openKeyFile(path);
  try {
    return await readKey(fd, { ...range, name: path });
  } finally {
    closeSync(fd);
  }
}

function openKeyFile(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    throw keyError('Failed to open key file.', because(error), error);
  }
  if (!fstatSync(fd).isDirectory()) return fd;
  closeSync(fd);
  throw keyError('Failed to open key file.', `${path} is a folder`);
}

export interface KeySource extends KeyRange {
  /** For messages. */
  name: string;
  /** The first newline ends it and is not part of it; what follows stays unread. */
  stopAtNewline?: boolean;
}

/** From where the descriptor stands. Throws CommandError, in cryptsetup's words. */
export async function readKey(fd: number, source: KeySource): Promise<Secret> {
  const { offsetBytes = 0, sizeBytes, stopAtNewline = false } = source;
  if (sizeBytes !== undefined && sizeBytes > MAX_ASKED_BYTES) {
    throw keyError(
      'Maximum keyfile size exceeded.',
      `at most ${MAX_ASKED_BYTES} bytes can be read`,
    );
  }
  await skip(fd, offsetBytes);
  const limitBytes = sizeBytes ?? MAX_KEY_BYTES;
  const key = new GrowingSecret();
  try {
    // One byte more shows that there is too much.
    const mostBytes = sizeBytes ?? MAX_KEY_BYTES + 1;
    const ended = await fill(fd, key, { mostBytes, stopAtNewline });
    if (key.lengthBytes > limitBytes) {
      const advice = `it has more than ${MAX_KEY_BYTES} bytes; --keyfile-size says how many to take`;
      throw keyError('Maximum keyfile size exceeded.', advice);
    }
    if (sizeBytes !== undefined && key.lengthBytes < sizeBytes && ended !== 'newline') {
      const got = `expected ${sizeBytes} bytes, got ${key.lengthBytes} from ${source.name}`;
      throw keyError('Cannot read requested amount of data.', got);
    }
    if (stopAtNewline && ended === 'end' && key.lengthBytes === 0) {
      throw keyError('Nothing to read on input.', 'expected a passphrase on standard input');
    }
    return key.take();
  } finally {
    key.wipe();
  }
}

interface FillLimits {
  mostBytes: number;
  stopAtNewline: boolean;
}

const NEWLINE = 0x0a;
const PIECE_BYTES = 64 * 1024;

/** With `stopAtNewline` byte by byte, because what follows the newline belongs to who reads next. */
async function fill(
  fd: number,
  key: GrowingSecret,
  { mostBytes, stopAtNewline }: FillLimits,
): Promise<'end' | 'newline' | 'full'> {
  while (key.lengthBytes < mostBytes) {
    const wanted = stopAtNewline ? 1 : Math.min(PIECE_BYTES, mostBytes - key.lengthBytes);
    const room = key.room(wanted);
    const count = await readSome(fd, room);
    if (count === 0) return 'end';
    if (stopAtNewline && room[0] === NEWLINE) return 'newline';
    key.grew(count);
  }
  return 'full';
}

/** Files can be skipped by reading, too, and pipes only so. */
async function skip(fd: number, offsetBytes: number): Promise<void> {
  using piece = Secret.allocate(PIECE_BYTES);
  let left = offsetBytes;
  while (left > 0) {
    const count = await readSome(fd, piece.bytes.subarray(0, Math.min(left, PIECE_BYTES)));
    if (count === 0) {
      const reason = `it ends ${left} bytes before --keyfile-offset ${offsetBytes}`;
      throw keyError('Cannot seek to requested keyfile offset.', reason);
    }
    left -= count;
  }
}

const RETRY_MS = 5;

/** Waits where the descriptor does not: a pipe that somebody made non-blocking. */
async function readSome(fd: number, room: Uint8Array): Promise<number> {
  for (;;) {
    try {
      return readSync(fd, room, 0, room.byteLength, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw keyError('Error reading passphrase.', because(error), error);
    }
    await sleep(systemClock, RETRY_MS);
  }
}

/** A secret of unknown length; memory it has outgrown is overwritten. */
class GrowingSecret {
  #secret = Secret.allocate(256);
  #lengthBytes = 0;

  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  /** Memory behind what is there. */
  room(lengthBytes: number): Uint8Array {
    const needed = this.#lengthBytes + lengthBytes;
    if (needed > this.#secret.lengthBytes) {
      const larger = Secret.allocate(Math.max(needed, 2 * this.#secret.lengthBytes));
      larger.bytes.set(this.#secret.bytes);
      this.#secret.wipe();
      this.#secret = larger;
    }
    return this.#secret.bytes.subarray(this.#lengthBytes, needed);
  }

  grew(byBytes: number): void {
    this.#lengthBytes += byBytes;
  }

  take(): Secret {
    return Secret.from(this.#secret.bytes.subarray(0, this.#lengthBytes));
  }

  wipe(): void {
    this.#secret.wipe();
  }
}

function keyError(words: string, reason: string, cause?: unknown): CommandError {
  return new CommandError(words, { status: WRONG_PARAMETERS, details: [reason], cause });
}
