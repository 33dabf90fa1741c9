/** COW devices with random damage: opening one ends soon, in DmError or FormatError or with exceptions that the device can have; nothing outside it is read. */

import { expect, test } from 'vitest';
import { DmError, FormatError } from '../../src/base/errors.ts';
import type { Prng } from '../../src/base/prng.ts';
import { encodeHeader } from '../../src/formats/snapshot/header.ts';
import { readSnapshotHeader, readStore } from '../../src/formats/snapshot/read-store.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { withSeed } from '../../src/testing/seed.ts';

const ROUNDS = 1000;
const MAX_ROUND_MS = 5000;
const interesting = [
  0n,
  1n,
  2n,
  3n,
  0x7fff_ffffn,
  0xffff_ffffn,
  1n << 32n,
  (1n << 44n) - 1n,
  1n << 53n,
  1n << 63n,
  (1n << 64n) - 1n,
];

class StrictDisk extends MemoryByteDisk {
  readBytes = 0;

  override read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    if (offsetBytes < 0 || offsetBytes + lengthBytes > this.sizeBytes) {
      throw new Error(`Read of ${lengthBytes} bytes at ${offsetBytes} of ${this.sizeBytes}`);
    }
    this.readBytes += lengthBytes;
    return super.read(offsetBytes, lengthBytes);
  }
}

/** As many exceptions as there is room for, or fewer. */
function goodStore(prng: Prng): Uint8Array {
  const chunkSectors = prng.pick([1, 1, 2, 8]);
  const chunkBytes = chunkSectors * 512;
  const stride = chunkBytes / 16 + 1;
  const chunkCount = prng.integer(3, prng.pick([8, 40, 200]));
  const bytes = new Uint8Array(chunkCount * chunkBytes + 512 * prng.integer(0, chunkSectors - 1));
  const words = new BigUint64Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 8));
  bytes.set(encodeHeader({ isValid: prng.chance(0.95), chunkSectors }));
  const end = prng.integer(2, chunkCount);
  let index = 0;
  for (let chunk = 2; chunk < end; chunk += 1) {
    if (chunk % stride === 1) continue;
    const area = Math.floor(index / (stride - 1));
    const at = ((1 + area * stride) * chunkBytes) / 8 + 2 * (index % (stride - 1));
    words[at] = BigInt(prng.integer(0, 1000));
    words[at + 1] = BigInt(chunk);
    index += 1;
  }
  return bytes;
}

function damage(prng: Prng, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer);
  for (let count = prng.integer(0, 3); count > 0; count -= 1) {
    // Half of it where it hurts: in the header, and in what may be an area.
    const limit = prng.chance(0.3) ? 16 : Math.min(bytes.byteLength, prng.pick([1200, 1e6]));
    const at = prng.integer(0, limit - 1);
    if (prng.chance(0.3)) bytes[at]! ^= 1 << prng.integer(0, 7);
    else if (prng.chance(0.8)) view.setBigUint64(at - (at % 8), prng.pick(interesting), true);
    else prng.fill(bytes.subarray(at));
  }
}

async function open(bytes: Uint8Array): Promise<void> {
  const disk = new StrictDisk(bytes);
  const header = await readSnapshotHeader(disk);
  if (header === null || !header.isValid) return;
  const chunkCount = Math.floor(bytes.byteLength / (header.chunkSectors * 512));
  let visited = 0;
  const content = await readStore(disk, header.chunkSectors, (oldChunk, newChunk) => {
    visited += 1;
    const isRight = newChunk >= 2 && newChunk < chunkCount && Number.isSafeInteger(oldChunk);
    if (!isRight) expect.fail(`an exception for ${oldChunk} at ${newChunk} of ${chunkCount}`);
  });
  expect(visited).toBeLessThan(chunkCount * content.geometry.exceptionsPerArea);
  expect(content.nextFree).toBeLessThanOrEqual(chunkCount + 1);
  expect(disk.readBytes).toBeLessThanOrEqual(bytes.byteLength + 512);
}

test('damaged stores', async () => {
  await withSeed(async (prng) => {
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const bytes = goodStore(prng);
      damage(prng, bytes);
      const begin = performance.now();
      try {
        await open(bytes);
        outcomes.read += 1;
      } catch (error) {
        if (!(error instanceof DmError) && !(error instanceof FormatError)) throw error;
        outcomes.refused += 1;
      }
      expect(performance.now() - begin).toBeLessThan(MAX_ROUND_MS);
    }
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(ROUNDS / 10);
  });
});

test('nothing but noise', async () => {
  await withSeed(async (prng) => {
    for (let round = 0; round < 300; round += 1) {
      const bytes = prng.fill(new Uint8Array(512 * prng.integer(1, 64)));
      if (prng.chance(0.8))
        bytes.set(encodeHeader({ isValid: true, chunkSectors: prng.pick([1, 2, 4]) }));
      await expect(open(bytes)).rejects.toSatisfy(
        (error) => error instanceof DmError || error instanceof FormatError,
      );
    }
  });
});
