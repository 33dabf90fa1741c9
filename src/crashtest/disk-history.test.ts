import { expect, test } from 'vitest';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { BioFlag, Op } from '../core/bio.ts';
import { withSeed } from '../testing/seed.ts';
import { submitBio } from '../testing/submit.ts';
import { blankImage } from './base-image.ts';
import { DiskHistory } from './disk-history.ts';
import { BASE, CHUNK_SECTORS, placeEntry } from './places.ts';
import { RecordingDisk } from './recording-disk.ts';

const SIZE = 4 * CHUNK_SECTORS;

test('every moment is what its entries left, and is known by its hash', () =>
  withSeed(async (prng) => {
    const disk = new RecordingDisk({ base: blankImage(SIZE), clock: new SimulatedClock() });
    for (let index = 0; index < 150; index += 1) {
      const sectorCount = prng.integer(1, 90);
      const sector = prng.integer(0, SIZE - sectorCount);
      const data = new Uint8Array(sectorCount * SECTOR_BYTES).fill(prng.integer(0, 2));
      const flags = prng.chance(0.1) ? BioFlag.fua : 0;
      const op = prng.pick([Op.write, Op.write, Op.write, Op.discard]);
      await submitBio(disk, { op, sector, sectorCount, flags, ...(op === Op.write && { data }) });
    }
    const { entries } = disk.log;
    const history = new DiskHistory(disk.log, blankImage(SIZE));
    const places = new Map<number, Int32Array>();
    const writable = (number: number) => {
      if (!places.has(number)) places.set(number, new Int32Array(CHUNK_SECTORS).fill(BASE));
      return places.get(number)!;
    };
    for (let count = 0; count <= entries.length; count += 1) {
      for (let number = 0; number < SIZE / CHUNK_SECTORS; number += 1) {
        expect(history.find(number, count)).toEqual(places.get(number) ?? null);
      }
      const pair = { low: 0, high: 0 };
      for (const [number, chunk] of places) history.rehash(pair, number, null, chunk);
      expect(history.hashAt(count)).toEqual(pair);
      if (count === entries.length) break;
      const entry = entries.at(count);
      placeEntry(entry, { start: 0, end: entry.sectorCount }, writable);
    }
  }));
