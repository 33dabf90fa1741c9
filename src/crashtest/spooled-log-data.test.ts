import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { Op } from '../core/bio.ts';
import { withSeed } from '../testing/seed.ts';
import { submitBio } from '../testing/submit.ts';
import { blankImage } from './base-image.ts';
import { RecordingDisk } from './recording-disk.ts';
import { SpooledLogData } from './spooled-log-data.ts';

const MIB = 1024 * 1024;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-spool-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What this process has open in the folder. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return []; // The descriptor of the listing itself.
    }
  });
}

describe('the data of a log', () => {
  test.each([0, 2 * MIB])('are read back, with %i bytes of memory', (memoryBytes) =>
    withSeed(async (prng) => {
      using data = new SpooledLogData({ memoryBytes, folder });
      const expected = Buffer.alloc(8 * MIB);
      let sectorCount = 0;
      for (let round = 0; round < 25; round += 1) {
        const piece = prng.fill(new Uint8Array(prng.integer(1, 600) * SECTOR_BYTES));
        expect(data.append(piece)).toBe(sectorCount);
        expected.set(piece, sectorCount * SECTOR_BYTES);
        sectorCount += piece.length / SECTOR_BYTES;
      }
      expect(data.sectorCount).toBe(sectorCount);
      for (let round = 0; round < 20; round += 1) {
        const count = prng.integer(1, 3000);
        const sector = prng.integer(0, data.sectorCount - count);
        const got = Buffer.alloc(count * SECTOR_BYTES + 7);
        data.read(sector, count, got, 7);
        const start = sector * SECTOR_BYTES;
        expect(got.compare(expected, start, start + count * SECTOR_BYTES, 7)).toBe(0);
      }
    }),
  );

  test('lie in a file without a name, which is gone at the end', () => {
    {
      using data = new SpooledLogData({ memoryBytes: MIB, folder });
      data.append(new Uint8Array(4 * MIB));
      expect(openFiles()).toEqual([expect.stringMatching(/devmapper-crashtest-log-.*deleted/)]);
      expect(readdirSync(folder)).toEqual([]);
    }
    expect(openFiles()).toEqual([]);
  });

  test('that cannot be kept are an I/O error for the workload, and remembered', async () => {
    const disk = new RecordingDisk({
      base: blankImage(65_536),
      clock: new SimulatedClock(),
      spool: { memoryBytes: 0, folder: join(folder, 'missing') },
    });
    const write = () =>
      submitBio(disk, {
        op: Op.write,
        sector: 0,
        sectorCount: 4096,
        data: new Uint8Array(2 * MIB),
      });
    expect(await write()).toBe(5);
    expect(disk.problem?.message).toMatch(
      /^Cannot keep the log of writes, 1 MiB so far, in .*missing: ENOENT; \$TMPDIR says/,
    );
    expect(await write()).toBe(5);
    expect(disk.log.entries.length).toBe(0);
  });
});
