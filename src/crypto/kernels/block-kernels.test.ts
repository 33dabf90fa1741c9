/** The WASM kernels against their plain JS twin, and against what is committed. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildKernel, generatedFile, kernelNames } from '../../../scripts/build-kernels.ts';
import { createPrng } from '../../base/prng.ts';
import { type BlockKernels, createBlockKernels } from './block-kernels.ts';
import { CipherMemory } from './cipher-memory.ts';

const memory = new CipherMemory();
const { dataAt, spareAt, ivsAt } = memory;

/** Work on random memory, some of it all ones, where every carry runs. */
const cases: { title: string; work: (kernels: BlockKernels, size: Size) => void }[] = [
  {
    title: 'spreadTweaks',
    work: (kernels, { parts, count }) => kernels.spreadTweaks(ivsAt, parts, count),
  },
  {
    title: 'xorTweaks',
    work: (kernels, { blocks, count }) => kernels.xorTweaks(dataAt, ivsAt, blocks, count),
  },
  {
    title: 'xor',
    work: (kernels, { blocks, count }) => kernels.xor(dataAt, spareAt, blocks * count * 16),
  },
  ...[8, 16].flatMap((blockBytes) => [
    {
      title: `xorPrevious of ${blockBytes}`,
      work: (kernels: BlockKernels, { blocks, count }: Size) =>
        kernels.xorPrevious(dataAt, spareAt, ivsAt, blockBytes, blocks, count),
    },
    {
      title: `stepColumn of ${blockBytes}`,
      work: (kernels: BlockKernels, { blocks, count }: Size) => {
        for (let index = 0; index <= blocks; index += 1) {
          kernels.stepColumn(dataAt, ivsAt, index, blockBytes, blocks, count);
        }
      },
    },
    {
      title: `fillCounters of ${blockBytes}`,
      work: (kernels: BlockKernels, { blocks, count }: Size) => {
        kernels.fillCounters(spareAt, ivsAt, blockBytes, blocks, count);
        // The twin counts in the IVs themselves; modes do not look at them again.
        memory.scratch.bytes.fill(0, ivsAt, ivsAt + count * blockBytes);
      },
    },
  ]),
];

interface Size {
  blocks: number;
  count: number;
  parts: number;
}

const sizes: Size[] = [
  { blocks: 2, count: 1, parts: 2 },
  { blocks: 32, count: 7, parts: 8 },
  { blocks: 256, count: 5, parts: 4 },
  { blocks: 64, count: 16, parts: 3 },
];

describe('kernels of the modes', () => {
  it.each(cases)('$title does what plain JS does', ({ work }) => {
    const wasm = createBlockKernels(memory, true);
    const js = createBlockKernels(memory, false);
    for (const [index, size] of sizes.entries()) {
      const before = createPrng(index).fill(new Uint8Array(memory.scratch.lengthBytes));
      before.fill(0xff, ivsAt, ivsAt + 40);
      const results = [wasm, js].map((kernels) => {
        memory.scratch.bytes.set(before);
        work(kernels, size);
        return memory.scratch.bytes.slice();
      });
      expect(Buffer.compare(results[0]!, results[1]!), JSON.stringify(size)).toBe(0);
      expect(Buffer.compare(results[0]!, before)).not.toBe(0);
    }
  });

  it.each(kernelNames())('%s.as compiles to what is committed', async (name) => {
    expect(readFileSync(generatedFile(name), 'utf8')).toBe(await buildKernel(name));
  });
});

describe('memory of the ciphers', () => {
  it('grows, keeps what was there, gives zeros again after free, and aligns', () => {
    const own = new CipherMemory();
    own.scratch.bytes.fill(1);
    const first = own.allocate(100);
    own.bytes.fill(2, first, first + 100);
    const large = own.allocate(1 << 20);
    expect(own.bytes[first]).toBe(2);
    expect(own.bytes[large + (1 << 20) - 1]).toBe(0);
    own.bytes[large] = 3;
    own.free(large, 1 << 20);
    expect(own.bytes[large]).toBe(0);
    expect(own.allocate(1 << 20)).toBe(large);
    expect(first % 64).toBe(0);
    own.wipeScratch();
    expect(own.scratch.bytes.every((byte) => byte === 0)).toBe(true);
  });
});
