/** Logs with random bytes changed, cut off anywhere: the reader ends with a log, a tear or a FormatError, and believes nothing that does not fit. */

import { expect, test } from 'vitest';
import { FormatError } from '../../src/base/errors.ts';
import type { Prng } from '../../src/base/prng.ts';
import { WriteLogFlag } from '../../src/formats/write-log/layout.ts';
import { readWriteLog } from '../../src/formats/write-log/read-write-log.ts';
import type { WriteLog } from '../../src/formats/write-log/write-log.ts';
import { WriteLogWriter } from '../../src/formats/write-log/write-log-writer.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { withSeed } from '../../src/testing/seed.ts';

const ROUNDS = 400;
const FLAGS = [0, WriteLogFlag.fua, WriteLogFlag.metadata, WriteLogFlag.flush];

async function randomLog(prng: Prng): Promise<Uint8Array> {
  const sectorBytes = prng.chance(0.5) ? 512 : 4096;
  const unit = sectorBytes / 512;
  const disk = new MemoryByteDisk(2 ** 18);
  const writer = new WriteLogWriter(disk, { sectorBytes });
  for (let count = prng.integer(0, 12); count > 0; count -= 1) {
    const sector = prng.integer(0, 1000) * unit;
    const sectorCount = prng.integer(1, 3) * unit;
    const data = new Uint8Array(sectorCount * 512);
    prng.fill(data);
    const kind = prng.integer(0, 3);
    if (kind === 0) await writer.mark(`mark ${count}`);
    else if (kind === 1) {
      await writer.append({ sector, sectorCount: 9999 * unit, flags: WriteLogFlag.discard });
    } else {
      await writer.append({ sector, sectorCount, flags: FLAGS[prng.integer(0, 3)]! }, data);
    }
  }
  await writer.finish('end');
  return disk.bytes.slice(0, writer.endBytes + prng.integer(0, 2) * 512);
}

/** Numbers of headers rather than anything. */
function spoil(bytes: Uint8Array, prng: Prng): void {
  for (let count = prng.integer(0, 3); count > 0; count -= 1) {
    const sector = prng.integer(0, Math.floor(bytes.length / 512) - 1);
    const at = sector * 512 + (prng.chance(0.8) ? prng.integer(0, 40) : prng.integer(0, 511));
    bytes[at] = prng.chance(0.3) ? 255 : prng.integer(0, 255);
  }
}

function checkLog(log: WriteLog, sizeBytes: number): void {
  expect(log.entryCount).toBeLessThanOrEqual(sizeBytes / log.sectorBytes);
  if (log.entryCount > 0) expect(log.endOffsetBytes).toBeLessThanOrEqual(sizeBytes);
  let offsetBytes = log.sectorBytes;
  for (let entry = 0; entry < log.entryCount; entry += 1) {
    expect(log.entryOffsetBytes(entry)).toBe(offsetBytes);
    offsetBytes += log.sectorBytes + log.dataBytes(entry);
    expect(Number.isSafeInteger((log.sector(entry) + log.sectorCount(entry)) * 512)).toBe(true);
  }
  expect(log.endOffsetBytes).toBe(offsetBytes);
  for (const point of [0, log.entryCount >> 1, log.entryCount]) {
    expect(log.flushedCount(point)).toBeLessThanOrEqual(point);
    for (const entry of log.volatileEntries(point)) expect(log.isDurable(entry, point)).toBe(false);
  }
}

test('any log is read to its end, to its tear, or refused', async () => {
  await withSeed(async (prng) => {
    const counts = { whole: 0, torn: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const whole = await randomLog(prng);
      const bytes = prng.chance(0.3) ? whole.slice(0, prng.integer(0, whole.length)) : whole;
      if (bytes.length >= 512) spoil(bytes, prng);
      try {
        const pastCount = prng.chance(0.5);
        const log = await readWriteLog(new MemoryByteDisk(bytes), { pastCount });
        checkLog(log, bytes.length);
        if (!pastCount && log.tear === null) expect(log.entryCount).toBe(log.countedEntries);
        counts[log.tear === null ? 'whole' : 'torn'] += 1;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        counts.refused += 1;
      }
    }
    // About twenty of the rarest.
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(0);
  });
});
