import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPrng } from '../base/prng.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { BioFlag, Op } from '../core/bio.ts';
import { readSectors, submitBio } from '../testing/submit.ts';
import { blankImage } from './base-image.ts';
import type { LogEntry } from './crash-log.ts';
import { wholeState } from './crash-state.ts';
import { openLogFile, saveLogFile } from './log-file.ts';
import { saveRawImage } from './raw-image.ts';
import { RecordingDisk } from './recording-disk.ts';
import { StateDisk } from './state-disk.ts';
import { StateImages } from './state-image.ts';

const SIZE = 4200;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-crashtest-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function recorded(): Promise<RecordingDisk> {
  const disk = new RecordingDisk({ base: blankImage(SIZE), clock: new SimulatedClock() });
  const data = createPrng(1).fill(new Uint8Array(4096));
  await submitBio(disk, { op: Op.write, sector: 4190, sectorCount: 8, data });
  disk.mark('now: "ä"');
  await submitBio(disk, { op: Op.flush });
  await submitBio(disk, { op: Op.writeZeroes, sector: 4192, sectorCount: 2 });
  await submitBio(disk, { op: Op.write, sector: 8, sectorCount: 8, data, flags: BioFlag.fua });
  await submitBio(disk, { op: Op.discard, sector: 10, sectorCount: 1 });
  await submitBio(disk, { op: Op.writeZeroes, sector: 9, sectorCount: 4185, flags: BioFlag.fua });
  return disk;
}

async function contentOf(images: StateImages): Promise<Uint8Array> {
  const disk = new StateDisk({ sizeSectors: images.log.sizeSectors, operand: 'state' });
  disk.insert(images.build(wholeState(images.windows, images.log.entries.length)));
  return await readSectors(disk, 0, images.log.sizeSectors);
}

test('a log that was kept has the same states', async () => {
  const { log } = await recorded();
  const path = join(folder, 'kept.log');
  await saveLogFile(log, path);
  using opened = await openLogFile(path);
  expect(opened.problem).toBeNull();
  expect(opened.log.sizeSectors).toBe(4198);
  const facts = (entry: LogEntry) => {
    const zeroesAre = entry.sectorCount > 2048 ? 'discard' : 'write';
    const kind = entry.kind === 'zeroes' ? zeroesAre : entry.kind;
    return [kind, entry.flush, entry.fua, entry.sector, entry.sectorCount, entry.text];
  };
  expect([...opened.log.entries].map(facts)).toEqual([...log.entries].map(facts));
  const before = new StateImages(log, blankImage(SIZE));
  const after = new StateImages({ ...opened.log, sizeSectors: SIZE }, blankImage(SIZE));
  expect(Buffer.compare(await contentOf(after), await contentOf(before))).toBe(0);
  const last = { point: 7, survivors: [] };
  expect(after.build(last).contentWord).toBe(before.build(last).contentWord);
});

test('a state becomes a raw image', async () => {
  const images = new StateImages((await recorded()).log, blankImage(SIZE));
  const path = join(folder, 'state.raw');
  await saveRawImage(images.build(wholeState(images.windows, 7)), path);
  expect(Buffer.compare(readFileSync(path), await contentOf(images))).toBe(0);
});

test('what is no log, or cannot be written, is refused', async () => {
  const path = join(folder, 'other');
  writeFileSync(path, Buffer.alloc(4096, 1));
  await expect(openLogFile(path)).rejects.toThrow(/write log super block: magic/);
  const { log } = await recorded();
  const missing = join(folder, 'missing', 'file');
  await expect(saveLogFile(log, missing)).rejects.toThrow(/Cannot keep the log in .*: ENOENT/);
});
