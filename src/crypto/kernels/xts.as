/**
 * What lies around bulk ECB, in WASM SIMD (AssemblyScript). All arguments are addresses and counts; ranges are 16-byte aligned.
 * Built by scripts/build-kernels.ts into xts-wasm.ts. The plain JS twin is block-kernels-js.ts.
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

/** XORs its tweak into every block; `tweaksAt` has the first tweak of each sector and is left as it is. */
export function xorTweaks(dataAt: usize, tweaksAt: usize, blocksPerSector: i32, sectorCount: i32): void {
  for (let sector = 0; sector < sectorCount; sector++) {
    let tweak = v128.load(tweaksAt);
    for (let block = 0; block < blocksPerSector; block++) {
      v128.store(dataAt, v128.xor(v128.load(dataAt), tweak));
      tweak = doubled(tweak);
      dataAt += 16;
    }
    tweaksAt += 16;
  }
}

/** target ^= source. */
export function xor(targetAt: usize, sourceAt: usize, lengthBytes: i32): void {
  for (let at = 0; at < lengthBytes; at += 16) {
    v128.store(targetAt + at, v128.xor(v128.load(targetAt + at), v128.load(sourceAt + at)));
  }
}
