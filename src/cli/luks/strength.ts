/** A rough estimate of how hard a passphrase is to guess, for a hint and never for a refusal. Works on bytes: no string of it ever exists. */

export interface Strength {
  bits: number;
  isWeak: boolean;
}

/** Behind a key derivation of 2 s a guess, 2^45 guesses take a farm of machines years. */
const WEAK_BELOW_BITS = 45;
/** A word of a language, found in a list by its letters: about this much for each of its letters. */
const LETTER_BITS = 3.2;

export function estimateStrength(passphrase: Uint8Array): Strength {
  let bits = 0;
  for (let index = 0; index < passphrase.byteLength; index += 1) {
    bits += bitsOf(passphrase, index);
  }
  return { bits: Math.round(bits), isWeak: bits < WEAK_BELOW_BITS };
}

/** What a byte adds, given those before it: next to nothing for `aaa`, `123` and `abab`. */
function bitsOf(text: Uint8Array, index: number): number {
  const byte = text[index]!;
  const before = text[index - 1];
  if (before !== undefined && Math.abs(byte - before) <= 1) return 0.5;
  if (repeats(text, index)) return 0.5;
  if (isLetter(byte)) return LETTER_BITS;
  return isDigit(byte) ? Math.log2(10) : Math.log2(32);
}

/** The three bytes that end here were there before. */
function repeats(text: Uint8Array, index: number): boolean {
  if (index < 3) return false;
  for (let start = index - 3; start >= 0; start -= 1) {
    const isSame = [0, 1, 2].every((step) => text[start + step] === text[index - 2 + step]);
    if (isSame) return true;
  }
  return false;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
