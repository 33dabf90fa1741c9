/**
 * A second thread that does a part of every long piece of cipher work, seen from the thread that it helps. It does nothing but encrypt and decrypt in memory that both
 * share: what is read and written where stays with the worker.
 */

import type { MessagePort } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { Secret } from '../secret.ts';
import type { SectorCipher, SectorCipherOptions } from '../sector-cipher.ts';
import { doPiece, type Job } from './job.ts';
import type { ToAssistant } from './messages.ts';
import { SharedWords } from './shared-words.ts';

/** Not shared with other threads. */
const PRIVATE = -1;

export class CipherAssistant {
  readonly #port: MessagePort;
  readonly #words: SharedWords;
  readonly #buffers = new WeakMap<Uint8Array, number>();
  #bufferCount = 0;
  #cipherCount = 0;
  #closedCount = 0;

  constructor(port: MessagePort, memory: SharedArrayBuffer) {
    this.#port = port;
    this.#words = new SharedWords(memory);
  }

  /** The number of a cipher there like one here. */
  open({ key, ...options }: SectorCipherOptions): { cipher: number; key: Secret } {
    const copy = Secret.from(key);
    this.#cipherCount += 1;
    const cipher = this.#cipherCount;
    this.#post({ kind: 'open', cipher, options, key: copy.memory });
    return { cipher, key: copy };
  }

  /** Answers when its key schedules there are overwritten. One that is not there yet finds its key gone. */
  close(cipher: number, key: Secret): void {
    const isReady = this.#words.isReady;
    this.#post({ kind: 'close', cipher });
    this.#closedCount += 1;
    if (isReady) this.#words.waitClosed(this.#closedCount);
    key.wipe();
  }

  /** `own` and the assistant's cipher of that number do it together; false leaves all of it to the caller. */
  share(own: SectorCipher, job: Job, source: Uint8Array, target: Uint8Array): boolean {
    const words = this.#words;
    if (!words.isReady) return false;
    job.source = this.#numberOf(source);
    job.target = source === target ? job.source : this.#numberOf(target);
    if (job.source === PRIVATE || job.target === PRIVATE) return false;
    words.publish(job);
    for (let piece = words.draw(); piece >= 0; piece = words.draw()) {
      doPiece(job, piece, own, source, target);
    }
    assert(words.finish(), 'an assistant does the pieces that it takes');
    return true;
  }

  #numberOf(bytes: Uint8Array): number {
    const known = this.#buffers.get(bytes);
    if (known !== undefined) return known;
    const { buffer: memory, byteOffset: offset, byteLength: length } = bytes;
    let number = PRIVATE;
    if (memory instanceof SharedArrayBuffer) {
      this.#bufferCount += 1;
      number = this.#bufferCount;
      this.#post({ kind: 'buffer', buffer: number, memory, offset, length });
    }
    this.#buffers.set(bytes, number);
    return number;
  }

  #post(message: ToAssistant): void {
    this.#port.postMessage(message);
    this.#words.wake();
  }
}
