/** MD5's chaining state without its padding, which lmk needs and no library gives. RFC 1321. */

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
].flatMap((row) => [...row, ...row, ...row, ...row]);
const ADDENDS = Int32Array.from({ length: 64 }, (_, step) =>
  Math.floor(Math.abs(Math.sin(step + 1)) * 0x1_0000_0000),
);
/** Which word of the block each step takes. */
const ORDER = Array.from({ length: 64 }, (_, step) => {
  if (step < 16) return step;
  if (step < 32) return (5 * step + 1) & 15;
  if (step < 48) return (3 * step + 5) & 15;
  return (7 * step) & 15;
});
const INITIAL = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];
const BLOCK_WORDS = 16;

export class Md5State {
  readonly words = new Int32Array(4);

  reset(): void {
    this.words.set(INITIAL);
  }

  set(state: Md5State): void {
    this.words.set(state.words);
  }

  /** Takes one block of 16 words from `source` at `at`. */
  update(source: Int32Array, at: number): void {
    const { words } = this;
    let a = words[0]!;
    let b = words[1]!;
    let c = words[2]!;
    let d = words[3]!;
    for (let step = 0; step < 64; step++) {
      const sum = (a + mix(step, b, c, d) + source[at + ORDER[step]!]! + ADDENDS[step]!) | 0;
      const shift = SHIFTS[step]!;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
    }
    words[0]! += a;
    words[1]! += b;
    words[2]! += c;
    words[3]! += d;
  }

  /** `blockCount` blocks, one after the other. */
  updateBlocks(source: Int32Array, at: number, blockCount: number): void {
    for (let block = 0; block < blockCount; block++) this.update(source, at + block * BLOCK_WORDS);
  }

  wipe(): void {
    this.words.fill(0);
  }
}

function mix(step: number, b: number, c: number, d: number): number {
  if (step < 16) return d ^ (b & (c ^ d));
  if (step < 32) return c ^ (d & (b ^ c));
  if (step < 48) return b ^ c ^ d;
  return c ^ (b | ~d);
}
