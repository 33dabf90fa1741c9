/** A sector cipher whose long work two threads do together. */

import { systemClock } from '../../base/clock.ts';
import { RUN_BYTES } from '../kernels/cipher-memory.ts';
import type { Secret } from '../secret.ts';
import type { SectorCipher, SectorCipherOptions } from '../sector-cipher.ts';
import type { CipherAssistant } from './cipher-assistant.ts';
import { createJob, type Job } from './job.ts';

/** What takes less is done before another thread wakes up. */
const SHARE_MS = 0.06;
/** Of a fast cipher, until it was measured. */
const FIRST_BYTES_PER_MS = 3_000_000;
/** The weight of the newest measurement. */
const NEWEST = 0.1;

let current: CipherAssistant | null = null;

/** Ciphers that this thread makes from now on are assisted; null: they are not. */
export function useAssistant(assistant: CipherAssistant | null): void {
  current = assistant;
}

/** `cipher` was made from `options` and is this one's from now on. */
export function withAssistant(cipher: SectorCipher, options: SectorCipherOptions): SectorCipher {
  return current === null ? cipher : new AssistedSectorCipher(cipher, current, options);
}

class AssistedSectorCipher implements SectorCipher {
  readonly sectorBytes: number;
  readonly #own: SectorCipher;
  readonly #assistant: CipherAssistant;
  readonly #key: Secret;
  readonly #job: Job;
  #bytesPerMs = FIRST_BYTES_PER_MS;
  #closed = false;

  constructor(own: SectorCipher, assistant: CipherAssistant, options: SectorCipherOptions) {
    this.sectorBytes = own.sectorBytes;
    this.#own = own;
    this.#assistant = assistant;
    const { cipher, key } = assistant.open(options);
    this.#key = key;
    this.#job = createJob(cipher);
  }

  encrypt(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void {
    this.#job.encrypting = true;
    this.#transform(source, sourceOffset, target, targetOffset, lengthBytes, sector);
  }

  decrypt(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void {
    this.#job.encrypting = false;
    this.#transform(source, sourceOffset, target, targetOffset, lengthBytes, sector);
  }

  #transform(
    source: Uint8Array,
    sourceOffset: number,
    target: Uint8Array,
    targetOffset: number,
    lengthBytes: number,
    sector: number,
  ): void {
    const job = this.#job;
    job.sourceOffset = sourceOffset;
    job.targetOffset = targetOffset;
    job.lengthBytes = lengthBytes;
    job.sector = sector;
    // A single piece is nothing to share, however slow the cipher is.
    const isLong = lengthBytes > RUN_BYTES && lengthBytes >= SHARE_MS * this.#bytesPerMs;
    if (isLong && this.#assistant.share(this.#own, job, source, target)) return;
    if (lengthBytes < RUN_BYTES) this.#alone(source, target);
    else this.#measured(source, target);
  }

  /** Shorter work says nothing about the speed of a cipher. */
  #measured(source: Uint8Array, target: Uint8Array): void {
    const startMs = systemClock.nowMs();
    this.#alone(source, target);
    const tookMs = Math.max(systemClock.nowMs() - startMs, 0.001);
    this.#bytesPerMs += NEWEST * (this.#job.lengthBytes / tookMs - this.#bytesPerMs);
  }

  #alone(source: Uint8Array, target: Uint8Array): void {
    const { encrypting, sourceOffset, targetOffset, lengthBytes, sector } = this.#job;
    const own = this.#own;
    if (encrypting) own.encrypt(source, sourceOffset, target, targetOffset, lengthBytes, sector);
    else own.decrypt(source, sourceOffset, target, targetOffset, lengthBytes, sector);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#assistant.close(this.#job.cipher, this.#key);
    this.#own.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
