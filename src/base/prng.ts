/** Repeatable randomness: xoshiro128** by Blackman and Vigna, seeded through splitmix32. Never for keys. */

export interface Prng {
  /** [0, 2^32) */
  uint32(): number;
  /** [0, 1) */
  float(): number;
  /** [min, max], whole; max - min below 2^53 */
  integer(min: number, max: number): number;
  pick<T>(items: readonly T[]): T;
  chance(probability: number): boolean;
  fill(bytes: Uint8Array): Uint8Array;
}

function splitmix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

function rotateLeft(value: number, count: number): number {
  return ((value << count) | (value >>> (32 - count))) >>> 0;
}

/** The same seed gives the same sequence on every machine. */
export function createPrng(seed: number): Prng {
  const next = splitmix32(seed);
  const s = new Uint32Array([next(), next(), next(), next()]);

  function uint32(): number {
    const [s0, s1, s2, s3] = s as unknown as [number, number, number, number];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5) >>> 0, 7), 9) >>> 0;
    const t = (s1 << 9) >>> 0;
    const x2 = s2 ^ s0;
    const x3 = s3 ^ s1;
    s[1] = s1 ^ x2;
    s[0] = s0 ^ x3;
    s[2] = x2 ^ t;
    s[3] = rotateLeft(x3 >>> 0, 11);
    return result;
  }
  const float = () => (uint32() * 2 ** 21 + (uint32() >>> 11)) / 2 ** 53;
  const integer = (min: number, max: number) => min + Math.floor(float() * (max - min + 1));
  return {
    uint32,
    float,
    integer,
    pick: (items) => items[integer(0, items.length - 1)]!,
    chance: (probability) => float() < probability,
    fill(bytes) {
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = uint32();
      return bytes;
    },
  };
}

/** A seed nobody chose, to print beside the result so that the run can be repeated. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
