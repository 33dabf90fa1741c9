/**
 * What lies around bulk ECB, in WASM SIMD (AssemblyScript); what each function does is said in block-kernels.ts, its plain JS twin is
 * block-kernels-js.ts. Built by scripts/build-kernels.ts into modes-wasm.ts.
 */

/** x times the tweak in GF(2^128), little endian as in IEEE 1619: doubled, and 0x87 for the bit that falls out. */
// @ts-ignore: decorator
@inline
function doubled(tweak: v128): v128 {
  const signs = i32x4.shr_s(tweak, 31);
  // The bit out of the low half goes into the high half, the one out of the high half becomes 0x87 in the low one.
  const carries = v128.and(v128.shuffle<i32>(signs, signs, 3, 0, 1, 0), i32x4(0x87, 0, 1, 0));
  return v128.xor(i64x2.add(tweak, tweak), carries);
}

export function spreadTweaks(tweaksAt: usize, pieceCount: i32, sectorCount: i32): void {
  for (let sector = sectorCount - 1; sector >= 0; sector--) {
    let low = load<u64>(tweaksAt + (sector << 4));
    let high = load<u64>(tweaksAt + (sector << 4), 8);
    let at = tweaksAt + ((sector * pieceCount) << 4);
    for (const end = at + (pieceCount << 4); at < end; at += 16) {
      store<u64>(at, low);
      store<u64>(at, high, 8);
      // Times x^32, in GF(2^128): what falls out of the high half comes back times x^7 + x^2 + x + 1.
      const out = high >> 32;
      high = (high << 32) | (low >> 32);
      low = (low << 32) ^ out ^ (out << 1) ^ (out << 2) ^ (out << 7);
    }
  }
}

// @ts-ignore: decorator
@inline
function xorInto(at: usize, value: v128): void {
  v128.store(at, v128.xor(v128.load(at), value));
}

/** Doubling waits for the doubling before: four pieces at a time keep the processor busy meanwhile. */
export function xorTweaks(dataAt: usize, tweaksAt: usize, blocksPerPiece: i32, pieceCount: i32): void {
  const pieceBytes = blocksPerPiece << 4;
  let piece = 0;
  for (; piece + 4 <= pieceCount; piece += 4) {
    let a = v128.load(tweaksAt);
    let b = v128.load(tweaksAt, 16);
    let c = v128.load(tweaksAt, 32);
    let d = v128.load(tweaksAt, 48);
    for (const end = dataAt + pieceBytes; dataAt < end; dataAt += 16) {
      xorInto(dataAt, a);
      xorInto(dataAt + pieceBytes, b);
      xorInto(dataAt + 2 * pieceBytes, c);
      xorInto(dataAt + 3 * pieceBytes, d);
      a = doubled(a);
      b = doubled(b);
      c = doubled(c);
      d = doubled(d);
    }
    dataAt += 3 * pieceBytes;
    tweaksAt += 64;
  }
  for (; piece < pieceCount; piece++) {
    let tweak = v128.load(tweaksAt);
    for (const end = dataAt + pieceBytes; dataAt < end; dataAt += 16) {
      xorInto(dataAt, tweak);
      tweak = doubled(tweak);
    }
    tweaksAt += 16;
  }
}

export function xor(targetAt: usize, sourceAt: usize, lengthBytes: i32): void {
  const end = sourceAt + lengthBytes;
  while (sourceAt < end) {
    v128.store(targetAt, v128.xor(v128.load(targetAt), v128.load(sourceAt)));
    targetAt += 16;
    sourceAt += 16;
  }
}

export function xorPrevious(
  dataAt: usize,
  ciphertextAt: usize,
  ivsAt: usize,
  blockBytes: i32,
  blocksPerSector: i32,
  sectorCount: i32,
): void {
  const sectorBytes = blockBytes * blocksPerSector;
  for (let sector = 0; sector < sectorCount; sector++) {
    if (blockBytes == 16) {
      v128.store(dataAt, v128.xor(v128.load(dataAt), v128.load(ivsAt)));
      xor(dataAt + 16, ciphertextAt, sectorBytes - 16);
    } else {
      store<u64>(dataAt, load<u64>(dataAt) ^ load<u64>(ivsAt));
      store<u64>(dataAt + 8, load<u64>(dataAt + 8) ^ load<u64>(ciphertextAt));
      xor(dataAt + 16, ciphertextAt + 8, sectorBytes - 16);
    }
    dataAt += sectorBytes;
    ciphertextAt += sectorBytes;
    ivsAt += blockBytes;
  }
}

export function stepColumn(
  dataAt: usize,
  columnAt: usize,
  index: i32,
  blockBytes: i32,
  blocksPerSector: i32,
  sectorCount: i32,
): void {
  const sectorBytes = blockBytes * blocksPerSector;
  let at = dataAt + index * blockBytes;
  for (let sector = 0; sector < sectorCount; sector++) {
    if (blockBytes == 16) {
      const column = v128.load(columnAt);
      if (index > 0) v128.store(at - 16, column);
      if (index < blocksPerSector) v128.store(columnAt, v128.xor(column, v128.load(at)));
    } else {
      const column = load<u64>(columnAt);
      if (index > 0) store<u64>(at - 8, column);
      if (index < blocksPerSector) store<u64>(columnAt, column ^ load<u64>(at));
    }
    at += sectorBytes;
    columnAt += blockBytes;
  }
}

export function fillCounters(
  targetAt: usize,
  ivsAt: usize,
  blockBytes: i32,
  blocksPerSector: i32,
  sectorCount: i32,
): void {
  for (let sector = 0; sector < sectorCount; sector++) {
    let high = blockBytes == 16 ? bswap(load<u64>(ivsAt)) : 0;
    let low = bswap(load<u64>(ivsAt + blockBytes - 8));
    for (let block = 0; block < blocksPerSector; block++) {
      if (blockBytes == 16) store<u64>(targetAt, bswap(high));
      store<u64>(targetAt + blockBytes - 8, bswap(low));
      low++;
      if (low == 0) high++;
      targetAt += blockBytes;
    }
    ivsAt += blockBytes;
  }
}
