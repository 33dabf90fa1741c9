/** COW devices of ours in a real kernel, which goes on with them, and back: one boot for all. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { StoreRig } from '../../src/testing/store-rig.ts';
import { requireKernel, runInKernel } from './kernel.ts';

const ORIGIN_SECTORS = 16384;
const COW_SECTORS = 4096;

interface Case {
  name: string;
  chunkSectors: number;
  make(rig: StoreRig): Promise<void>;
}

async function add(rig: StoreRig, chunks: Iterable<number>): Promise<void> {
  for (const chunk of chunks) expect((await rig.add(chunk))?.errno).toBe(0);
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => 3 * index);

const cases: Case[] = [
  { name: 'new', chunkSectors: 8, make: async () => undefined },
  { name: 'some', chunkSectors: 16, make: (rig) => add(rig, [7, 8, 9, 3, 100]) },
  { name: 'more than an area', chunkSectors: 8, make: (rig) => add(rig, upTo(300)) },
  { name: 'a full area', chunkSectors: 8, make: (rig) => add(rig, upTo(256)) },
  {
    name: 'half merged',
    chunkSectors: 8,
    async make(rig) {
      await add(rig, upTo(260));
      for (let round = 0; round < 10; round += 1) {
        const run = await rig.store.merging!.prepareMerge();
        await rig.store.merging!.commitMerge(run!.chunkCount);
      }
    },
  },
];

/** Status, the data of the first and the last exception, one write more, and the status again. */
function scriptFor(index: number, { chunkSectors }: Case, chunks: readonly number[]): string {
  const device = `/dev/vd${'bcdefg'[index]}`;
  const bytes = chunkSectors * 512;
  const shown = [chunks[0], chunks.at(-1)].filter((chunk) => chunk !== undefined);
  return `
dmsetup create snap --table '0 ${ORIGIN_SECTORS} snapshot /dev/vda ${device} P 8'
dmsetup status snap | cut -d ' ' -f 4-
for chunk in ${shown.join(' ')}; do od -A n -t f8 -N 8 -j $((chunk * ${bytes})) /dev/mapper/snap; done
dd if=/dev/zero of=/dev/mapper/snap bs=${bytes} count=1 seek=1000 oflag=direct 2> /dev/null
dmsetup status snap | cut -d ' ' -f 4-
dmsetup remove snap
echo`;
}

requireKernel()('a COW device', () => {
  test('that we made, in a kernel, and back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'devmapper-cow-'));
    const prng = createPrng(3);
    const disks = [join(folder, 'origin')];
    writeFileSync(disks[0]!, new Uint8Array(ORIGIN_SECTORS * 512));
    const expected: string[] = [];
    const rigs: StoreRig[] = [];
    let script = 'set -e\n';
    for (const [index, one] of cases.entries()) {
      const rig = new StoreRig({ sizeSectors: COW_SECTORS, chunkSectors: one.chunkSectors, prng });
      await rig.open();
      await one.make(rig);
      const status = rig.status();
      await rig.open();
      const chunks = rig.loaded.map(([oldChunk]) => oldChunk);
      const shown = [chunks[0], chunks.at(-1)].filter((chunk) => chunk !== undefined);
      disks.push(join(folder, `cow${index}`));
      writeFileSync(disks.at(-1)!, rig.disk.peek(0, COW_SECTORS));
      script += scriptFor(index, one, chunks);
      const loaded = [...rig.loaded];
      await rig.add(1000);
      expected.push(
        [status, ...shown.map((chunk) => `${chunk + 0.5}`), rig.status(), ''].join('\n'),
      );
      rig.loaded = loaded;
      rigs.push(rig);
    }
    const result = await runInKernel({ script, disks });
    const words = result.stdout.split('\n').map((line) => line.trim());
    expect(`${words.join('\n')}\n${result.stderr}`.trim()).toBe(expected.join('\n').trim());
    for (const [index, rig] of rigs.entries()) {
      const before = rig.loaded;
      rig.disk.poke(0, new Uint8Array(readFileSync(disks[index + 1]!)));
      await rig.open();
      expect(rig.loaded, cases[index]!.name).toEqual([...before, [1000, expect.any(Number)]]);
    }
    rmSync(folder, { recursive: true });
  });
});
