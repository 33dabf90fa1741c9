/**
 * Serpent (Anderson, Biham, Knudsen: "Serpent: A Proposal for the Advanced Encryption Standard", 1998), bitsliced: a vector has the same word of four
 * blocks, and an S-box is a circuit of gates, so that nothing depends on the data but the data. The circuits (14 to 17 gates for each box) are from
 * a beam search of ours over and, or, and-not, xor and not. What each function does is said in cipher/wasm-cipher.ts.
 * Built by scripts/build-kernels.ts into serpent-wasm.ts.
 */

/** Schedule: 33 subkeys of 4 words, then room for the key. */
const LAST_SUBKEY_AT: usize = 512;
const KEY_AT: usize = 528;
const MAX_KEY_BYTES: usize = 32;
/** Of the golden ratio. */
const PHI: u32 = 0x9e3779b9;

/** The S-boxes as tables, for the schedule: the value of 0 is in the lowest nibble. */
function boxTable(box: u32): u64 {
  if (box == 0) return 0xc90724deb56a1f83;
  if (box == 1) return 0x43d68eb1a50972cf;
  if (box == 2) return 0x25b04e1dfac39768;
  if (box == 3) return 0xe57a421d369c8bf0;
  if (box == 4) return 0xd7e9a4526b0c38f1;
  if (box == 5) return 0x176d8e30c9a4b25f;
  if (box == 6) return 0x0a3df19eb6485c27;
  return 0x6539ac47b28e0fd1;
}

/** An S-box over 32 nibbles, each made of the same bit of four words. */
function substitute(at: usize, box: u32): void {
  const table = boxTable(box);
  const a = load<u32>(at);
  const b = load<u32>(at, 4);
  const c = load<u32>(at, 8);
  const d = load<u32>(at, 12);
  store<v128>(at, i32x4.splat(0));
  for (let bit: u32 = 0; bit < 32; bit++) {
    const nibble =
      ((a >> bit) & 1) | (((b >> bit) & 1) << 1) | (((c >> bit) & 1) << 2) | (((d >> bit) & 1) << 3);
    const value = <u32>(table >> (nibble << 2));
    store<u32>(at, load<u32>(at) | ((value & 1) << bit));
    store<u32>(at, load<u32>(at, 4) | (((value >> 1) & 1) << bit), 4);
    store<u32>(at, load<u32>(at, 8) | (((value >> 2) & 1) << bit), 8);
    store<u32>(at, load<u32>(at, 12) | (((value >> 3) & 1) << bit), 12);
  }
}

/** A word of the key while `index` is below 0, a prekey from then on. */
// @ts-ignore: decorator
@inline
function prekey(scheduleAt: usize, index: i32): u32 {
  return load<u32>(index < 0 ? scheduleAt + KEY_AT + 32 + 4 * index : scheduleAt + 4 * index);
}

export function expandKey(scheduleAt: usize, keyBytes: i32): void {
  const keyAt = scheduleAt + KEY_AT;
  // A shorter key gets a 1 and zeros; what was allocated is zeroed.
  if (keyBytes < 32) store<u8>(keyAt + keyBytes, 1);
  for (let index = 0; index < 132; index++) {
    const word =
      prekey(scheduleAt, index - 8) ^
      prekey(scheduleAt, index - 5) ^
      prekey(scheduleAt, index - 3) ^
      prekey(scheduleAt, index - 1);
    store<u32>(scheduleAt + 4 * index, rotl(word ^ PHI ^ index, 11));
  }
  for (let subkey: u32 = 0; subkey < 33; subkey++) {
    substitute(scheduleAt + 16 * subkey, (35 - subkey) & 7);
  }
  memory.fill(keyAt, 0, MAX_KEY_BYTES);
}

// @ts-ignore: decorator
@inline
function rotl32(value: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(value, bits), i32x4.shr_u(value, 32 - bits));
}

/** Words i of four blocks from four vectors of word pairs. */
// @ts-ignore: decorator
@inline
function lowWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
}

// @ts-ignore: decorator
@inline
function highWords(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
}

// @ts-ignore: decorator
@inline
function lowPairs(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 0, 2);
}

// @ts-ignore: decorator
@inline
function highPairs(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(a, b, 1, 3);
}

/** In place, four blocks. */
function encryptFour(scheduleAt: usize, at: usize): void {
  let t0: v128, t1: v128, t2: v128, t3: v128, t4: v128, t5: v128, t6: v128, t7: v128, t8: v128,
    t9: v128, t10: v128, t11: v128, t12: v128, t13: v128, t14: v128, t15: v128, t16: v128;
  t0 = lowWords(v128.load(at), v128.load(at, 16)); t1 = highWords(v128.load(at), v128.load(at, 16));
  t2 = lowWords(v128.load(at, 32), v128.load(at, 48)); t3 = highWords(v128.load(at, 32), v128.load(at, 48));
  let x0 = lowPairs(t0, t2), x1 = highPairs(t0, t2), x2 = lowPairs(t1, t3), x3 = highPairs(t1, t3);
  let key = scheduleAt;
  for (;;) {
    // S-box 0
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 0)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 4));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 8)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 12));
    t0 = v128.xor(x3, x0); t1 = v128.and(t0, x1); t2 = v128.xor(t1, x0); t3 = v128.or(x3, x0);
    t4 = v128.xor(t3, x1); t5 = v128.xor(t4, x2); t6 = v128.xor(t0, x2); t7 = v128.xor(t6, t2);
    t8 = v128.andnot(t7, t5); t9 = v128.and(t6, t2); t10 = v128.xor(t9, t4); t11 = v128.xor(t8, t2);
    t12 = v128.not(t11); t13 = v128.xor(t12, t7);
    x0 = t13; x1 = t12; x2 = t10; x3 = t5;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
    // S-box 1
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 16)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 20));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 24)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 28));
    t0 = v128.andnot(x1, x0); t1 = v128.xor(t0, x2); t2 = v128.not(x3); t3 = v128.xor(t2, t1);
    t4 = v128.andnot(t2, x0); t5 = v128.or(t2, x1); t6 = v128.andnot(t3, t4); t7 = v128.xor(x1, x0);
    t8 = v128.andnot(t5, t6); t9 = v128.xor(t8, t7); t10 = v128.xor(t5, t1); t11 = v128.xor(t10, t4);
    t12 = v128.xor(t11, t9); t13 = v128.and(t11, t9); t14 = v128.xor(t13, t3);
    t15 = v128.xor(t14, x3);
    x0 = t15; x1 = t12; x2 = t3; x3 = t9;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
    // S-box 2
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 32)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 36));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 40)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 44));
    t0 = v128.or(x2, x0); t1 = v128.xor(t0, x1); t2 = v128.xor(t1, x3); t3 = v128.xor(t2, x0);
    t4 = v128.xor(t3, x2); t5 = v128.andnot(x0, x3); t6 = v128.xor(t5, t4); t7 = v128.or(t6, t1);
    t8 = v128.not(t2); t9 = v128.andnot(t4, x1); t10 = v128.xor(t9, t7); t11 = v128.xor(t9, t8);
    t12 = v128.xor(t7, t5); t13 = v128.xor(t12, t0);
    x0 = t3; x1 = t10; x2 = t13; x3 = t11;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
    // S-box 3
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 48)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 52));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 56)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 60));
    t0 = v128.and(x3, x0); t1 = v128.andnot(x2, x3); t2 = v128.or(t1, x0); t3 = v128.xor(t2, x1);
    t4 = v128.andnot(x1, x2); t5 = v128.andnot(t3, t0); t6 = v128.xor(t5, x2); t7 = v128.or(t4, t3);
    t8 = v128.xor(t7, x3); t9 = v128.or(t8, t3); t10 = v128.xor(t9, x0); t11 = v128.xor(t10, t6);
    t12 = v128.xor(t11, t8); t13 = v128.andnot(t10, t12); t14 = v128.xor(t13, t3);
    x0 = t14; x1 = t6; x2 = t11; x3 = t8;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
    // S-box 4
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 64)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 68));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 72)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 76));
    t0 = v128.xor(x3, x0); t1 = v128.andnot(x0, x3); t2 = v128.or(t0, x1); t3 = v128.xor(t1, x2);
    t4 = v128.xor(t3, t2); t5 = v128.not(t4); t6 = v128.xor(t3, x0); t7 = v128.or(t6, t4);
    t8 = v128.xor(t0, x1); t9 = v128.xor(t8, t7); t10 = v128.or(t8, t4); t11 = v128.andnot(t0, t3);
    t12 = v128.xor(t11, t10); t13 = v128.andnot(t10, t6); t14 = v128.xor(t13, x1);
    x0 = t5; x1 = t14; x2 = t9; x3 = t12;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
    // S-box 5
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 80)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 84));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 88)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 92));
    t0 = v128.andnot(x0, x1); t1 = v128.xor(t0, x2); t2 = v128.xor(x1, x0); t3 = v128.not(x3);
    t4 = v128.andnot(t3, t2); t5 = v128.xor(t4, t1); t6 = v128.xor(t4, x1); t7 = v128.xor(t3, t2);
    t8 = v128.andnot(t5, t6); t9 = v128.xor(t8, t7); t10 = v128.andnot(t7, t8);
    t11 = v128.xor(t10, t1); t12 = v128.xor(t11, x0); t13 = v128.andnot(t5, x3);
    t14 = v128.xor(t13, t2);
    x0 = t5; x1 = t14; x2 = t9; x3 = t12;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
    // S-box 6
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 96)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 100));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 104)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 108));
    t0 = v128.and(x3, x0); t1 = v128.xor(t0, x2); t2 = v128.xor(x3, x0); t3 = v128.xor(t1, x1);
    t4 = v128.not(t3); t5 = v128.xor(x3, x1); t6 = v128.and(t3, t2); t7 = v128.xor(t6, t5);
    t8 = v128.andnot(t7, t1); t9 = v128.xor(t8, t4); t10 = v128.xor(t9, t2); t11 = v128.xor(t10, t7);
    t12 = v128.and(t10, t7); t13 = v128.xor(t12, t1);
    x0 = t11; x1 = t4; x2 = t10; x3 = t13;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
    // S-box 7
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 112)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 116));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 120)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 124));
    t0 = v128.andnot(x2, x1); t1 = v128.xor(t0, x3); t2 = v128.andnot(x0, t1); t3 = v128.xor(t2, x2);
    t4 = v128.xor(t3, x1); t5 = v128.xor(t4, t1); t6 = v128.or(t3, t1); t7 = v128.xor(t6, x0);
    t8 = v128.or(t5, t2); t9 = v128.not(t8); t10 = v128.xor(t8, x0); t11 = v128.xor(t10, x2);
    t12 = v128.or(t7, t4); t13 = v128.xor(t12, t9); t14 = v128.andnot(t4, t7);
    t15 = v128.xor(t14, t1);
    x0 = t13; x1 = t11; x2 = t15; x3 = t4;
    key += 128;
    if (key == scheduleAt + LAST_SUBKEY_AT) break;
    x0 = rotl32(x0, 13); x2 = rotl32(x2, 3);
    x1 = rotl32(v128.xor(v128.xor(x1, x0), x2), 1);
    x3 = rotl32(v128.xor(v128.xor(x3, x2), i32x4.shl(x0, 3)), 7);
    x0 = rotl32(v128.xor(v128.xor(x0, x1), x3), 5);
    x2 = rotl32(v128.xor(v128.xor(x2, x3), i32x4.shl(x1, 7)), 22);
  }
  x0 = v128.xor(x0, v128.load_splat<u32>(key, 0)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 4));
  x2 = v128.xor(x2, v128.load_splat<u32>(key, 8)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 12));
  t0 = lowWords(x0, x1); t1 = highWords(x0, x1); t2 = lowWords(x2, x3); t3 = highWords(x2, x3);
  v128.store(at, lowPairs(t0, t2)); v128.store(at, highPairs(t0, t2), 16);
  v128.store(at, lowPairs(t1, t3), 32); v128.store(at, highPairs(t1, t3), 48);
}

/** In place, four blocks. */
function decryptFour(scheduleAt: usize, at: usize): void {
  let t0: v128, t1: v128, t2: v128, t3: v128, t4: v128, t5: v128, t6: v128, t7: v128, t8: v128,
    t9: v128, t10: v128, t11: v128, t12: v128, t13: v128, t14: v128, t15: v128, t16: v128;
  t0 = lowWords(v128.load(at), v128.load(at, 16)); t1 = highWords(v128.load(at), v128.load(at, 16));
  t2 = lowWords(v128.load(at, 32), v128.load(at, 48)); t3 = highWords(v128.load(at, 32), v128.load(at, 48));
  let x0 = lowPairs(t0, t2), x1 = highPairs(t0, t2), x2 = lowPairs(t1, t3), x3 = highPairs(t1, t3);
  let key = scheduleAt + LAST_SUBKEY_AT;
  x0 = v128.xor(x0, v128.load_splat<u32>(key, 0)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 4));
  x2 = v128.xor(x2, v128.load_splat<u32>(key, 8)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 12));
  for (;;) {
    key -= 128;
    // Inverse S-box 7
    t0 = v128.and(x1, x0); t1 = v128.andnot(x3, t0); t2 = v128.or(x3, x0); t3 = v128.xor(t1, x2);
    t4 = v128.or(x2, x1); t5 = v128.not(x0); t6 = v128.and(t3, t2); t7 = v128.xor(t6, x1);
    t8 = v128.or(t5, t3); t9 = v128.xor(t5, x1); t10 = v128.xor(t8, x3); t11 = v128.andnot(t4, t3);
    t12 = v128.xor(t11, t5); t13 = v128.andnot(t9, t10); t14 = v128.xor(t13, t3);
    t15 = v128.andnot(t4, t7); t16 = v128.xor(t15, t10);
    x0 = t12; x1 = t16; x2 = t7; x3 = t14;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 112)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 116));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 120)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 124));
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
    // Inverse S-box 6
    t0 = v128.andnot(x2, x0); t1 = v128.xor(t0, x1); t2 = v128.not(x3); t3 = v128.xor(t2, t1);
    t4 = v128.xor(x2, x0); t5 = v128.and(x1, x0); t6 = v128.andnot(t4, x1); t7 = v128.xor(t5, t3);
    t8 = v128.or(t7, t6); t9 = v128.xor(t8, x2); t10 = v128.or(t9, x3); t11 = v128.andnot(t4, x3);
    t12 = v128.andnot(t10, t5); t13 = v128.xor(t12, t4); t14 = v128.xor(t8, t1);
    t15 = v128.xor(t14, t11);
    x0 = t15; x1 = t3; x2 = t13; x3 = t9;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 96)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 100));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 104)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 108));
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
    // Inverse S-box 5
    t0 = v128.and(x3, x1); t1 = v128.andnot(x0, t0); t2 = v128.andnot(x2, x1); t3 = v128.xor(t1, x2);
    t4 = v128.xor(t2, x3); t5 = v128.xor(t4, t3); t6 = v128.and(t4, x0); t7 = v128.xor(t6, x1);
    t8 = v128.xor(t7, t5); t9 = v128.andnot(t8, x0); t10 = v128.not(t9); t11 = v128.xor(t10, t4);
    t12 = v128.and(t7, t5); t13 = v128.or(t2, t1); t14 = v128.xor(t13, t12);
    x0 = t5; x1 = t8; x2 = t14; x3 = t11;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 80)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 84));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 88)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 92));
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
    // Inverse S-box 4
    t0 = v128.or(x3, x2); t1 = v128.xor(t0, x1); t2 = v128.and(t1, x0); t3 = v128.andnot(x1, x0);
    t4 = v128.xor(t2, x3); t5 = v128.xor(t4, x2); t6 = v128.andnot(x3, t5); t7 = v128.not(x0);
    t8 = v128.xor(t7, x3); t9 = v128.andnot(t8, t3); t10 = v128.xor(t6, t3); t11 = v128.xor(t10, x2);
    t12 = v128.andnot(x2, t2); t13 = v128.xor(t12, t9); t14 = v128.or(t7, t6);
    t15 = v128.xor(t14, t1);
    x0 = t15; x1 = t5; x2 = t13; x3 = t11;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 64)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 68));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 72)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 76));
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
    // Inverse S-box 3
    t0 = v128.andnot(x1, x2); t1 = v128.xor(t0, x0); t2 = v128.or(t1, x3); t3 = v128.xor(t2, x1);
    t4 = v128.xor(t3, x2); t5 = v128.xor(t4, t1); t6 = v128.or(x1, x0); t7 = v128.xor(t6, x3);
    t8 = v128.andnot(t2, t5); t9 = v128.andnot(t4, t7); t10 = v128.xor(t9, t1);
    t11 = v128.xor(t3, x3); t12 = v128.xor(t11, t8); t13 = v128.xor(t8, t7); t14 = v128.xor(t13, t9);
    x0 = t4; x1 = t14; x2 = t12; x3 = t10;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 48)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 52));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 56)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 60));
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
    // Inverse S-box 2
    t0 = v128.xor(x2, x1); t1 = v128.xor(t0, x3); t2 = v128.xor(x3, x0); t3 = v128.andnot(x0, t0);
    t4 = v128.xor(t3, x1); t5 = v128.not(t4); t6 = v128.andnot(t5, t2); t7 = v128.xor(t6, t0);
    t8 = v128.or(t1, x1); t9 = v128.xor(t8, t2); t10 = v128.or(t7, t2); t11 = v128.andnot(t7, t9);
    t12 = v128.xor(t10, t5); t13 = v128.xor(t12, x0); t14 = v128.xor(t12, t11);
    x0 = t9; x1 = t13; x2 = t7; x3 = t14;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 32)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 36));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 40)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 44));
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
    // Inverse S-box 1
    t0 = v128.xor(x2, x0); t1 = v128.xor(x3, x1); t2 = v128.andnot(x3, x1); t3 = v128.xor(t2, t0);
    t4 = v128.and(t0, x1); t5 = v128.andnot(t1, t3); t6 = v128.or(t5, x2); t7 = v128.xor(t6, t4);
    t8 = v128.xor(t7, x3); t9 = v128.not(x0); t10 = v128.or(t9, t8); t11 = v128.andnot(t10, t4);
    t12 = v128.xor(t11, t1); t13 = v128.xor(t7, x2); t14 = v128.or(t9, t1); t15 = v128.xor(t14, t13);
    x0 = t15; x1 = t8; x2 = t12; x3 = t3;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 16)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 20));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 24)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 28));
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
    // Inverse S-box 0
    t0 = v128.not(x0); t1 = v128.xor(x3, x2); t2 = v128.andnot(t0, x1); t3 = v128.xor(t2, t1);
    t4 = v128.andnot(t3, x3); t5 = v128.xor(x1, x0); t6 = v128.xor(t5, x3); t7 = v128.or(t5, x3);
    t8 = v128.xor(t7, t0); t9 = v128.xor(t2, x2); t10 = v128.or(t9, t8); t11 = v128.xor(t10, t6);
    t12 = v128.xor(t9, t8); t13 = v128.xor(t12, t11); t14 = v128.or(t12, t11);
    t15 = v128.xor(t14, t9);
    x0 = t13; x1 = t15; x2 = t3; x3 = t11;
    x0 = v128.xor(x0, v128.load_splat<u32>(key, 0)); x1 = v128.xor(x1, v128.load_splat<u32>(key, 4));
    x2 = v128.xor(x2, v128.load_splat<u32>(key, 8)); x3 = v128.xor(x3, v128.load_splat<u32>(key, 12));
    if (key == scheduleAt) break;
    x2 = v128.xor(v128.xor(rotl32(x2, 10), x3), i32x4.shl(x1, 7));
    x0 = v128.xor(v128.xor(rotl32(x0, 27), x1), x3);
    x3 = v128.xor(v128.xor(rotl32(x3, 25), x2), i32x4.shl(x0, 3));
    x1 = v128.xor(v128.xor(rotl32(x1, 31), x0), x2);
    x2 = rotl32(x2, 29); x0 = rotl32(x0, 19);
  }
  t0 = lowWords(x0, x1); t1 = highWords(x0, x1); t2 = lowWords(x2, x3); t3 = highWords(x2, x3);
  v128.store(at, lowPairs(t0, t2)); v128.store(at, highPairs(t0, t2), 16);
  v128.store(at, lowPairs(t1, t3), 32); v128.store(at, highPairs(t1, t3), 48);
}

export function encrypt(scheduleAt: usize, at: usize, lengthBytes: i32): void {
  const end = at + lengthBytes;
  for (; at + 64 <= end; at += 64) encryptFour(scheduleAt, at);
  if (at == end) return;
  // One to three blocks: in a corner of the schedule, together with what lies there.
  const restBytes = end - at;
  const cornerAt = scheduleAt + KEY_AT;
  memory.copy(cornerAt, at, restBytes);
  encryptFour(scheduleAt, cornerAt);
  memory.copy(at, cornerAt, restBytes);
  memory.fill(cornerAt, 0, 64);
}

export function decrypt(scheduleAt: usize, at: usize, lengthBytes: i32): void {
  const end = at + lengthBytes;
  for (; at + 64 <= end; at += 64) decryptFour(scheduleAt, at);
  if (at == end) return;
  // One to three blocks: in a corner of the schedule, together with what lies there.
  const restBytes = end - at;
  const cornerAt = scheduleAt + KEY_AT;
  memory.copy(cornerAt, at, restBytes);
  decryptFour(scheduleAt, cornerAt);
  memory.copy(at, cornerAt, restBytes);
  memory.fill(cornerAt, 0, 64);
}
