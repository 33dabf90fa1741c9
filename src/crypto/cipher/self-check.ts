/** Known answers, asked of an implementation before it is trusted with data. */

import type { CipherEngine } from '../cipher-engine.ts';
import type { BlockCipher } from './block-cipher.ts';

/** One block, in hex, from the cipher's standard. */
export interface KnownAnswer {
  key: string;
  plaintext: string;
  ciphertext: string;
}

interface Checked {
  blockBytes: number;
  knownAnswers: readonly KnownAnswer[];
}

/** One, several, and so many that no unrolled loop ends with them; at an address that is aligned to one block only. */
const BLOCK_COUNTS = [1, 3, 17, 130];

/** Both directions, and nothing changes behind the last block. It works in the scratch, which must be free. */
export function passesSelfCheck(
  create: (key: Uint8Array, engine: CipherEngine) => BlockCipher | null,
  { blockBytes, knownAnswers }: Checked,
  engine: CipherEngine,
): boolean {
  return knownAnswers.every((answer) => {
    const cipher = create(Buffer.from(answer.key, 'hex'), engine);
    if (cipher === null) return false;
    try {
      return BLOCK_COUNTS.every((count) => answers(cipher, answer, count, blockBytes, engine));
    } finally {
      cipher.close();
    }
  });
}

function answers(
  cipher: BlockCipher,
  answer: KnownAnswer,
  blockCount: number,
  blockBytes: number,
  { memory }: CipherEngine,
): boolean {
  const { bytes } = memory.scratch;
  const start = memory.dataAt + blockBytes;
  const end = start + blockCount * blockBytes;
  const holds = (hex: string) => {
    const block = Buffer.from(hex, 'hex');
    for (let at = start; at < end; at += blockBytes) {
      if (!block.equals(bytes.subarray(at, at + blockBytes))) return false;
    }
    return bytes[start - 1] === GUARD && bytes[end] === GUARD;
  };
  bytes.fill(GUARD, memory.dataAt, end + blockBytes);
  for (let at = start; at < end; at += blockBytes) {
    bytes.set(Buffer.from(answer.plaintext, 'hex'), at);
  }
  cipher.encrypt(start, end - start);
  if (!holds(answer.ciphertext)) return false;
  cipher.decrypt(start, end - start);
  return holds(answer.plaintext);
}

const GUARD = 0xa5;
