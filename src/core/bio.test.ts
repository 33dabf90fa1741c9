import { expect, test } from 'vitest';
import { Bio, BioFlag, cloneBio, NO_DATA, Op, recycleBio, takeBio } from './bio.ts';

test('a bio ends once', () => {
  const bio = new Bio();
  const errors: number[] = [];
  bio.onEnd = ({ error }) => errors.push(error);
  bio.end(5);
  expect(errors).toEqual([5]);
  expect(() => bio.end(0)).toThrow(/read bio at sector 0 ended twice/);
  expect(errors).toEqual([5]);
});

test('a bio that nobody submitted does not end', () => {
  expect(() => new Bio().end(0)).toThrow(/nobody submitted/);
});

test('a clone is a part of its parent, data and all', () => {
  const bio = new Bio();
  bio.op = Op.write;
  bio.flags = BioFlag.fua;
  bio.sector = 100;
  bio.sectorCount = 8;
  bio.data = new Uint8Array(5000);
  bio.dataOffset = 7;
  bio.startMs = 3;
  const clone = cloneBio(bio, 2, 3);
  const { op, flags, sector, sectorCount, data, dataOffset, parent, startMs, lengthBytes } = clone;
  expect({ op, flags, sector, sectorCount, dataOffset, startMs, lengthBytes }).toEqual({
    op: Op.write,
    flags: BioFlag.fua,
    sector: 102,
    sectorCount: 3,
    dataOffset: 7 + 1024,
    startMs: 3,
    lengthBytes: 1536,
  });
  expect(data).toBe(bio.data);
  expect(parent).toBe(bio);
});

test('a recycled bio comes back clean', () => {
  const used = takeBio();
  Object.assign(used, {
    flags: 1,
    error: 5,
    targetBioNumber: 2,
    startMs: 1,
    endMs: 2,
    data: new Uint8Array(1),
  });
  recycleBio(used);
  const bio = takeBio();
  expect(bio).toBe(used);
  expect(bio).toMatchObject({
    flags: 0,
    error: 0,
    targetBioNumber: 0,
    startMs: 0,
    endMs: 0,
    parent: null,
  });
  expect(bio.data).toBe(NO_DATA);
  expect(() => bio.end(0)).toThrow(/nobody submitted/);
});

test.each([
  [Op.read, false],
  [Op.blockStatus, false],
  [Op.write, true],
  [Op.discard, true],
  [Op.writeZeroes, true],
])('op %i writes: %s', (op, isWrite) => {
  const bio = new Bio();
  bio.op = op;
  expect(bio.isWrite).toBe(isWrite);
});
