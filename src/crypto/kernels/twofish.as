/**
 * Twofish (Schneier, Kelsey, Whiting, Wagner, Hall, Ferguson: "Twofish: A 128-Bit Block Cipher", 1998), with key-dependent tables that have the S-boxes and
 * the MDS matrix in them. Two blocks at a time, so that the processor has something to do while it waits for the tables of the other.
 * What each function does is said in cipher/twofish.ts. Built by scripts/build-kernels.ts into twofish-wasm.ts.
 */

/** Schedule: four tables of 256 words, then 40 subkeys: 4 to whiten the input, 4 for the output, 2 for each round. */
const SUBKEYS_AT: usize = 4096;
/** While the key is expanded: the S-boxes' key, and the key itself. */
const BOX_KEY_AT: usize = 4256;
const KEY_AT: usize = 4272;
const KEY_END: usize = 4304;

/** The permutations q0 and q1 are made of eight tables of 16 nibbles; the first nibble is the lowest of each word (4.3.5). */
const Q0_T0: u64 = 0x4ace95b023f6d718;
const Q0_T1: u64 = 0xd9076a4f53218bce;
const Q0_T2: u64 = 0x17423f8c09d6e5ab;
const Q0_T3: u64 = 0xac5803b9e6214f7d;
const Q1_T0: u64 = 0x5ca04913e67fdb82;
const Q1_T1: u64 = 0x809f5ad673c4b2e1;
const Q1_T2: u64 = 0xf3b28de0a96157c4;
const Q1_T3: u64 = 0xa802f746ed3c159b;

// @ts-ignore: decorator
@inline
function nibble(table: u64, index: u32): u32 {
  return <u32>(table >> (index << 2)) & 15;
}

/** The mixing step between the nibble tables: b, and a rotated by 4 bits. */
// @ts-ignore: decorator
@inline
function mixed(a: u32, b: u32): u32 {
  return (a ^ (b >> 1) ^ (b << 3) ^ (a << 3)) & 15;
}

function permute(t0: u64, t1: u64, t2: u64, t3: u64, value: u32): u32 {
  const a0 = value >> 4;
  const b0 = value & 15;
  const a2 = nibble(t0, a0 ^ b0);
  const b2 = nibble(t1, mixed(a0, b0));
  return (nibble(t3, mixed(a2, b2)) << 4) | nibble(t2, a2 ^ b2);
}

function q0(value: u32): u32 {
  return permute(Q0_T0, Q0_T1, Q0_T2, Q0_T3, value);
}

function q1(value: u32): u32 {
  return permute(Q1_T0, Q1_T1, Q1_T2, Q1_T3, value);
}

/** The product in GF(2^8) modulo a polynomial. */
function multiply(a: u32, b: u32, polynomial: u32): u32 {
  let product: u32 = 0;
  for (let bit = 0; bit < 8; bit++) {
    if (b & 1) product ^= a;
    b >>= 1;
    a <<= 1;
    if (a & 0x100) a ^= polynomial;
  }
  return product;
}

/** A row of the matrix MDS is three kinds of numbers: 01, 5b and ef. */
function mdsColumn(column: i32, value: u32): u32 {
  const y1 = value;
  const y5b = multiply(value, 0x5b, 0x169);
  const yef = multiply(value, 0xef, 0x169);
  if (column == 0) return y1 | (y5b << 8) | (yef << 16) | (yef << 24);
  if (column == 1) return yef | (yef << 8) | (y5b << 16) | (y1 << 24);
  if (column == 2) return y5b | (yef << 8) | (y1 << 16) | (yef << 24);
  return y5b | (y1 << 8) | (yef << 16) | (y5b << 24);
}

/** One byte's way through the function h: `words` words with `stepBytes` between them, the first at `wordsAt`. */
function chain(column: i32, value: u32, wordsAt: usize, stepBytes: i32, words: i32): u32 {
  const at = wordsAt + column;
  let y = value;
  if (words == 4) {
    y = column == 0 || column == 3 ? q1(y) : q0(y);
    y ^= load<u8>(at + 3 * stepBytes);
  }
  if (words >= 3) {
    y = column < 2 ? q1(y) : q0(y);
    y ^= load<u8>(at + 2 * stepBytes);
  }
  y = (column & 1 ? q1(y) : q0(y)) ^ load<u8>(at + stepBytes);
  y = (column < 2 ? q0(y) : q1(y)) ^ load<u8>(at);
  return column & 1 ? q0(y) : q1(y);
}

function h(value: u32, wordsAt: usize, stepBytes: i32, words: i32): u32 {
  let result: u32 = 0;
  for (let column = 0; column < 4; column++) {
    const y = chain(column, (value >> (8 * column)) & 255, wordsAt, stepBytes, words);
    result ^= mdsColumn(column, y);
  }
  return result;
}

/** The matrix RS: a row's first number is in the lowest byte. */
function rsRow(row: i32): u64 {
  if (row == 0) return 0x9edb585a8755a401;
  if (row == 1) return 0xe568c61ef38256a4;
  if (row == 2) return 0x193dae47c1fca102;
  return 0x039edb585a8755a4;
}

/** A word of the S-boxes' key from 8 bytes of the key. */
function reedSolomon(keyAt: usize): u32 {
  let result: u32 = 0;
  for (let row = 0; row < 4; row++) {
    let sum: u32 = 0;
    for (let column = 0; column < 8; column++) {
      sum ^= multiply(load<u8>(keyAt + column), <u32>(rsRow(row) >> (8 * column)) & 255, 0x14d);
    }
    result |= sum << (8 * row);
  }
  return result;
}

export function expandKey(scheduleAt: usize, keyBytes: i32): void {
  const keyAt = scheduleAt + KEY_AT;
  const boxKeyAt = scheduleAt + BOX_KEY_AT;
  const words = keyBytes / 8;
  // The last 8 bytes of the key give the first word.
  for (let word = 0; word < words; word++) {
    store<u32>(boxKeyAt + 4 * (words - 1 - word), reedSolomon(keyAt + 8 * word));
  }
  for (let column = 0; column < 4; column++) {
    for (let value = 0; value < 256; value++) {
      const y = chain(column, value, boxKeyAt, 4, words);
      store<u32>(scheduleAt + 1024 * column + 4 * value, mdsColumn(column, y));
    }
  }
  for (let pair: u32 = 0; pair < 20; pair++) {
    const a = h(2 * pair * 0x01010101, keyAt, 8, words);
    const b = rotl(h((2 * pair + 1) * 0x01010101, keyAt + 4, 8, words), 8);
    store<u32>(scheduleAt + SUBKEYS_AT + 8 * pair, a + b);
    store<u32>(scheduleAt + SUBKEYS_AT + 8 * pair + 4, rotl(a + 2 * b, 9));
  }
  memory.fill(boxKeyAt, 0, KEY_END - BOX_KEY_AT);
}

/** The function g: all four S-boxes and the matrix. */
// @ts-ignore: decorator
@inline
function g(tables: usize, value: u32): u32 {
  return (
    load<u32>(tables + ((value & 255) << 2)) ^
    load<u32>(tables + (((value >> 8) & 255) << 2), 1024) ^
    load<u32>(tables + (((value >> 16) & 255) << 2), 2048) ^
    load<u32>(tables + ((value >> 24) << 2), 3072)
  );
}

/** g of the value rotated left by 8. */
// @ts-ignore: decorator
@inline
function g8(tables: usize, value: u32): u32 {
  return (
    load<u32>(tables + ((value >> 24) << 2)) ^
    load<u32>(tables + ((value & 255) << 2), 1024) ^
    load<u32>(tables + (((value >> 8) & 255) << 2), 2048) ^
    load<u32>(tables + (((value >> 16) & 255) << 2), 3072)
  );
}

// @ts-ignore: decorator
@inline
function subkey(tables: usize, index: usize): u32 {
  return load<u32>(tables + (index << 2), SUBKEYS_AT);
}

// @ts-ignore: decorator
@inline
function encryptTwo(tables: usize, at: usize): void {
  let low: u32;
  let high: u32;
  let a0 = load<u32>(at, 0) ^ subkey(tables, 0);
  let a1 = load<u32>(at, 4) ^ subkey(tables, 1);
  let a2 = load<u32>(at, 8) ^ subkey(tables, 2);
  let a3 = load<u32>(at, 12) ^ subkey(tables, 3);
  let b0 = load<u32>(at, 16) ^ subkey(tables, 0);
  let b1 = load<u32>(at, 20) ^ subkey(tables, 1);
  let b2 = load<u32>(at, 24) ^ subkey(tables, 2);
  let b3 = load<u32>(at, 28) ^ subkey(tables, 3);
  for (let key: usize = 8; key < 40; key += 4) {
    low = g(tables, a0);
    high = g8(tables, a1);
    a2 = rotr(a2 ^ (low + high + subkey(tables, key)), 1);
    a3 = rotl(a3, 1) ^ (low + 2 * high + subkey(tables, key + 1));
    low = g(tables, b0);
    high = g8(tables, b1);
    b2 = rotr(b2 ^ (low + high + subkey(tables, key)), 1);
    b3 = rotl(b3, 1) ^ (low + 2 * high + subkey(tables, key + 1));
    low = g(tables, a2);
    high = g8(tables, a3);
    a0 = rotr(a0 ^ (low + high + subkey(tables, key + 2)), 1);
    a1 = rotl(a1, 1) ^ (low + 2 * high + subkey(tables, key + 2 + 1));
    low = g(tables, b2);
    high = g8(tables, b3);
    b0 = rotr(b0 ^ (low + high + subkey(tables, key + 2)), 1);
    b1 = rotl(b1, 1) ^ (low + 2 * high + subkey(tables, key + 2 + 1));
  }
  store<u32>(at, a2 ^ subkey(tables, 4), 0);
  store<u32>(at, a3 ^ subkey(tables, 5), 4);
  store<u32>(at, a0 ^ subkey(tables, 6), 8);
  store<u32>(at, a1 ^ subkey(tables, 7), 12);
  store<u32>(at, b2 ^ subkey(tables, 4), 16);
  store<u32>(at, b3 ^ subkey(tables, 5), 20);
  store<u32>(at, b0 ^ subkey(tables, 6), 24);
  store<u32>(at, b1 ^ subkey(tables, 7), 28);
}

// @ts-ignore: decorator
@inline
function encryptOne(tables: usize, at: usize): void {
  let low: u32;
  let high: u32;
  let a0 = load<u32>(at, 0) ^ subkey(tables, 0);
  let a1 = load<u32>(at, 4) ^ subkey(tables, 1);
  let a2 = load<u32>(at, 8) ^ subkey(tables, 2);
  let a3 = load<u32>(at, 12) ^ subkey(tables, 3);
  for (let key: usize = 8; key < 40; key += 4) {
    low = g(tables, a0);
    high = g8(tables, a1);
    a2 = rotr(a2 ^ (low + high + subkey(tables, key)), 1);
    a3 = rotl(a3, 1) ^ (low + 2 * high + subkey(tables, key + 1));
    low = g(tables, a2);
    high = g8(tables, a3);
    a0 = rotr(a0 ^ (low + high + subkey(tables, key + 2)), 1);
    a1 = rotl(a1, 1) ^ (low + 2 * high + subkey(tables, key + 2 + 1));
  }
  store<u32>(at, a2 ^ subkey(tables, 4), 0);
  store<u32>(at, a3 ^ subkey(tables, 5), 4);
  store<u32>(at, a0 ^ subkey(tables, 6), 8);
  store<u32>(at, a1 ^ subkey(tables, 7), 12);
}

export function encrypt(scheduleAt: usize, at: usize, lengthBytes: i32): void {
  const end = at + lengthBytes;
  for (; at + 32 <= end; at += 32) encryptTwo(scheduleAt, at);
  if (at < end) encryptOne(scheduleAt, at);
}

// @ts-ignore: decorator
@inline
function decryptTwo(tables: usize, at: usize): void {
  let low: u32;
  let high: u32;
  let a0 = load<u32>(at, 0) ^ subkey(tables, 4);
  let a1 = load<u32>(at, 4) ^ subkey(tables, 5);
  let a2 = load<u32>(at, 8) ^ subkey(tables, 6);
  let a3 = load<u32>(at, 12) ^ subkey(tables, 7);
  let b0 = load<u32>(at, 16) ^ subkey(tables, 4);
  let b1 = load<u32>(at, 20) ^ subkey(tables, 5);
  let b2 = load<u32>(at, 24) ^ subkey(tables, 6);
  let b3 = load<u32>(at, 28) ^ subkey(tables, 7);
  for (let key: usize = 36; key >= 8; key -= 4) {
    low = g(tables, a0);
    high = g8(tables, a1);
    a2 = rotl(a2, 1) ^ (low + high + subkey(tables, key + 2));
    a3 = rotr(a3 ^ (low + 2 * high + subkey(tables, key + 2 + 1)), 1);
    low = g(tables, b0);
    high = g8(tables, b1);
    b2 = rotl(b2, 1) ^ (low + high + subkey(tables, key + 2));
    b3 = rotr(b3 ^ (low + 2 * high + subkey(tables, key + 2 + 1)), 1);
    low = g(tables, a2);
    high = g8(tables, a3);
    a0 = rotl(a0, 1) ^ (low + high + subkey(tables, key));
    a1 = rotr(a1 ^ (low + 2 * high + subkey(tables, key + 1)), 1);
    low = g(tables, b2);
    high = g8(tables, b3);
    b0 = rotl(b0, 1) ^ (low + high + subkey(tables, key));
    b1 = rotr(b1 ^ (low + 2 * high + subkey(tables, key + 1)), 1);
  }
  store<u32>(at, a2 ^ subkey(tables, 0), 0);
  store<u32>(at, a3 ^ subkey(tables, 1), 4);
  store<u32>(at, a0 ^ subkey(tables, 2), 8);
  store<u32>(at, a1 ^ subkey(tables, 3), 12);
  store<u32>(at, b2 ^ subkey(tables, 0), 16);
  store<u32>(at, b3 ^ subkey(tables, 1), 20);
  store<u32>(at, b0 ^ subkey(tables, 2), 24);
  store<u32>(at, b1 ^ subkey(tables, 3), 28);
}

// @ts-ignore: decorator
@inline
function decryptOne(tables: usize, at: usize): void {
  let low: u32;
  let high: u32;
  let a0 = load<u32>(at, 0) ^ subkey(tables, 4);
  let a1 = load<u32>(at, 4) ^ subkey(tables, 5);
  let a2 = load<u32>(at, 8) ^ subkey(tables, 6);
  let a3 = load<u32>(at, 12) ^ subkey(tables, 7);
  for (let key: usize = 36; key >= 8; key -= 4) {
    low = g(tables, a0);
    high = g8(tables, a1);
    a2 = rotl(a2, 1) ^ (low + high + subkey(tables, key + 2));
    a3 = rotr(a3 ^ (low + 2 * high + subkey(tables, key + 2 + 1)), 1);
    low = g(tables, a2);
    high = g8(tables, a3);
    a0 = rotl(a0, 1) ^ (low + high + subkey(tables, key));
    a1 = rotr(a1 ^ (low + 2 * high + subkey(tables, key + 1)), 1);
  }
  store<u32>(at, a2 ^ subkey(tables, 0), 0);
  store<u32>(at, a3 ^ subkey(tables, 1), 4);
  store<u32>(at, a0 ^ subkey(tables, 2), 8);
  store<u32>(at, a1 ^ subkey(tables, 3), 12);
}

export function decrypt(scheduleAt: usize, at: usize, lengthBytes: i32): void {
  const end = at + lengthBytes;
  for (; at + 32 <= end; at += 32) decryptTwo(scheduleAt, at);
  if (at < end) decryptOne(scheduleAt, at);
}
