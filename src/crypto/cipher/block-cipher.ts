/**
 * The contract of block ciphers: many blocks at once, in place, with one key. Nothing else of a cipher is ever needed, so adding one is one file
 * and a line in index.ts. docs/decisions/0005-encryption.md
 */

import type { CipherEngine } from '../cipher-engine.ts';

/** `address` and `lengthBytes`, a multiple of the block, are a range of the engine's memory, in its scratch. Allocates nothing per call where it can. */
export interface BlockCipher {
  encrypt(address: number, lengthBytes: number): void;
  decrypt(address: number, lengthBytes: number): void;
  /** Overwrites the key schedule; nothing works afterwards. May be called again. */
  close(): void;
}

/** CBC encryption as one endless chain, from a first block of zeros before it: cbc of few sectors, where block by block of all would be a call each. */
export interface ChainedCipher {
  encrypt(address: number, lengthBytes: number): void;
  close(): void;
}

export interface CipherType {
  /** The kernel's. */
  readonly name: string;
  readonly blockBytes: 8 | 16;
  /** All lengths that the kernel takes. */
  readonly keyLengthsBytes: readonly number[];
  /** It goes with no other mode. */
  readonly onlyEcb?: boolean;
  /** Has checked the key's length already. Throws `DmError` where this build lacks the cipher, saying which has it. */
  create(key: Uint8Array, engine: CipherEngine): BlockCipher;
  /** Null or absent: only in bulk. */
  createChained?(key: Uint8Array, engine: CipherEngine): ChainedCipher | null;
}
