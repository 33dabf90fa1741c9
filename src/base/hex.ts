/** Bytes as hex digits and back. Keys stay bytes on both sides: nothing but `hexOf` makes a string. */

const DIGITS = new TextEncoder().encode('0123456789abcdef');

/** `00ff`, lower case. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Two digits for each of `bytes`, as ASCII, into `target` from `offset` on. */
export function writeHex(target: Uint8Array, offset: number, bytes: Uint8Array): void {
  for (const [index, byte] of bytes.entries()) {
    target[offset + 2 * index] = DIGITS[byte >> 4]!;
    target[offset + 2 * index + 1] = DIGITS[byte & 15]!;
  }
}

/** Fills `target` from as many digits as it takes. False, and all zeroes, when one of them is none. */
export function readHex(digits: Uint8Array, target: Uint8Array): boolean {
  for (let index = 0; index < target.length; index += 1) {
    const high = digitValue(digits[2 * index]);
    const low = digitValue(digits[2 * index + 1]);
    if (high < 0 || low < 0) {
      target.fill(0);
      return false;
    }
    target[index] = high * 16 + low;
  }
  return true;
}

function digitValue(character = 0): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
