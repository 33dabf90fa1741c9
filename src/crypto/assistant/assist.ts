/** The assistant's own side: what its thread does from the first message of a worker to the last. */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { createSectorCipher } from '../create-sector-cipher.ts';
import type { SectorCipher } from '../sector-cipher.ts';
import { createJob, doPiece, type Job } from './job.ts';
import type { ToAssistant } from './messages.ts';
import { SharedWords } from './shared-words.ts';

/** Blocks its thread until the main thread ends it. */
export function assist(port: MessagePort, memory: SharedArrayBuffer): void {
  const assistance = new Assistance(port, memory);
  try {
    assistance.run();
  } finally {
    assistance.close();
  }
}

class Assistance {
  readonly #port: MessagePort;
  readonly #words: SharedWords;
  readonly #ciphers = new Map<number, SectorCipher>();
  readonly #buffers = new Map<number, Uint8Array>();
  readonly #job = createJob();

  constructor(port: MessagePort, memory: SharedArrayBuffer) {
    this.#port = port;
    this.#words = new SharedWords(memory);
  }

  run(): void {
    const words = this.#words;
    words.begin();
    while (!words.isEnding) {
      const { turn } = words;
      this.#readMessages();
      this.#work();
      if (words.turn === turn) words.waitTurn(turn);
    }
  }

  close(): void {
    for (const cipher of this.#ciphers.values()) cipher.close();
    this.#ciphers.clear();
    this.#buffers.clear();
    this.#words.noteGone();
    this.#port.close();
  }

  #readMessages(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: ToAssistant } | undefined;
      if (received === undefined) return;
      this.#obey(received.message);
    }
  }

  #obey(message: ToAssistant): void {
    switch (message.kind) {
      case 'open':
        this.#open(message);
        break;
      case 'close':
        this.#ciphers.get(message.cipher)?.close();
        this.#ciphers.delete(message.cipher);
        this.#words.noteClosed();
        break;
      case 'buffer': {
        const { buffer, memory, offset, length } = message;
        this.#buffers.set(buffer, new Uint8Array(memory, offset, length));
        break;
      }
    }
  }

  #open({ cipher, options, key }: Extract<ToAssistant, { kind: 'open' }>): void {
    const bytes = new Uint8Array(key);
    this.#ciphers.set(cipher, createSectorCipher({ ...options, key: bytes }));
    bytes.fill(0);
  }

  #work(): void {
    const words = this.#words;
    words.enter();
    try {
      for (let piece = words.draw(); piece >= 0; piece = words.draw()) this.#doPiece(piece);
    } catch (error) {
      words.fail();
      throw error;
    } finally {
      words.leave();
    }
  }

  #doPiece(piece: number): void {
    const job = this.#job;
    this.#words.read(job);
    // What was told just before the job may have come after the messages were read.
    if (!this.#isKnown(job)) this.#readMessages();
    const cipher = this.#ciphers.get(job.cipher)!;
    doPiece(job, piece, cipher, this.#buffers.get(job.source)!, this.#buffers.get(job.target)!);
  }

  #isKnown({ cipher, source, target }: Job): boolean {
    return this.#ciphers.has(cipher) && this.#buffers.has(source) && this.#buffers.has(target);
  }
}
