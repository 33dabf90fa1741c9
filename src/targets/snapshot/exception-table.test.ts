import { describe, expect, test } from 'vitest';
import { createPrng } from '../../base/prng.ts';
import { testSeed } from '../../testing/seed.ts';
import { ExceptionTable } from './exception-table.ts';

function filled(exceptions: Iterable<readonly [number, number]>): ExceptionTable {
  const table = new ExceptionTable();
  for (const [oldChunk, newChunk] of exceptions) table.insert(oldChunk, newChunk);
  return table;
}

/** All exceptions by the runs, which must not overlap. */
function contentOf(table: ExceptionTable): Map<number, number> {
  const content = new Map<number, number>();
  table.forEachRun((oldChunk, newChunk, chunkCount) => {
    for (let i = 0; i < chunkCount; i += 1) {
      if (content.has(oldChunk + i)) expect.fail(`chunk ${oldChunk + i} is in two runs`);
      content.set(oldChunk + i, newChunk + i);
    }
  });
  return content;
}

describe('runs', () => {
  test.each<{ name: string; exceptions: [number, number][]; runCount: number }>([
    {
      name: 'one after the other',
      exceptions: [
        [0, 2],
        [1, 3],
        [2, 4],
      ],
      runCount: 1,
    },
    {
      name: 'one before the other',
      exceptions: [
        [2, 4],
        [1, 3],
        [0, 2],
      ],
      runCount: 1,
    },
    {
      name: 'not joined on the COW device',
      exceptions: [
        [0, 2],
        [1, 4],
      ],
      runCount: 2,
    },
    {
      name: 'not joined on the origin',
      exceptions: [
        [0, 2],
        [2, 3],
      ],
      runCount: 2,
    },
    {
      name: 'backwards on the COW device',
      exceptions: [
        [0, 3],
        [1, 2],
      ],
      runCount: 2,
    },
    {
      name: 'two that one between would join',
      exceptions: [
        [0, 2],
        [2, 4],
        [1, 3],
      ],
      runCount: 2,
    },
    {
      name: 'the border of a group',
      exceptions: [
        [15, 2],
        [16, 3],
      ],
      runCount: 2,
    },
    {
      name: 'the border of a group, downwards',
      exceptions: [
        [16, 3],
        [15, 2],
      ],
      runCount: 2,
    },
  ])('$name', ({ exceptions, runCount }) => {
    const table = filled(exceptions);
    expect(table.runCount).toBe(runCount);
    expect(table.count).toBe(exceptions.length);
    expect(contentOf(table)).toEqual(new Map(exceptions));
    for (const [oldChunk, newChunk] of exceptions) expect(table.find(oldChunk)).toBe(newChunk);
  });

  test('a chunk without exception beside others has none', () => {
    const table = filled([
      [3, 2],
      [4, 3],
      [7, 4],
    ]);
    for (const chunk of [0, 2, 5, 6, 8, 16, 2 ** 40])
      expect(table.find(chunk), `${chunk}`).toBe(-1);
  });

  test('the first exception of a chunk stays', () => {
    const table = filled([[3, 2]]);
    expect(table.insert(3, 9)).toBe(false);
    expect(table.find(3)).toBe(2);
    expect(table.count).toBe(1);
  });

  test.each([0, 1, 2, 3, 4])('chunk %i is taken out of a run of five', (taken) => {
    const table = filled([0, 1, 2, 3, 4].map((chunk) => [32 + chunk, 2 + chunk]));
    expect(table.remove(32 + taken)).toBe(true);
    expect(table.remove(32 + taken)).toBe(false);
    expect(table.count).toBe(4);
    for (let i = 0; i < 5; i += 1) expect(table.find(32 + i)).toBe(i === taken ? -1 : 2 + i);
  });

  test('chunks beyond 32 bits are told apart', () => {
    const chunks = [5, 5 + 2 ** 32, 5 + 2 ** 40, 2 ** 44 - 1];
    const table = filled(chunks.map((chunk, index) => [chunk, 2 ** 43 + index]));
    expect(chunks.map((chunk) => table.find(chunk))).toEqual(chunks.map((_, i) => 2 ** 43 + i));
  });
});

test('does what a map does, while it grows and shrinks', () => {
  const seed = testSeed();
  const prng = createPrng(seed);
  const table = new ExceptionTable();
  const model = new Map<number, number>();
  let next = 2;
  for (let step = 0; step < 20_000; step += 1) {
    // Long runs, short ones and single chunks, in a space that is neither empty nor full; less is removed than added, then more.
    const start = prng.integer(0, 60_000);
    const length = prng.pick([1, 1, 1, 2, 5, 40]);
    const isRemoval = prng.chance(step < 12_000 ? 0.3 : 0.9);
    for (let chunk = start; chunk < start + length; chunk += 1) {
      const isKnown = model.has(chunk);
      const isDone = isRemoval ? table.remove(chunk) : table.insert(chunk, next);
      if (isDone !== (isRemoval === isKnown)) expect.fail(`seed ${seed}, step ${step}: ${chunk}`);
      if (isRemoval) {
        model.delete(chunk);
      } else if (!isKnown) {
        model.set(chunk, next);
        next += prng.chance(0.9) ? 1 : 2;
      }
    }
    if (step % 5000 === 4999) expect(contentOf(table), `seed ${seed}`).toEqual(model);
  }
  expect(table.count).toBe(model.size);
  for (let chunk = 0; chunk < 60_100; chunk += 1) {
    if (table.find(chunk) !== (model.get(chunk) ?? -1)) expect.fail(`seed ${seed}: ${chunk}`);
  }
});

test('chunks far from each other', () => {
  const table = new ExceptionTable(5);
  for (let chunk = 0; chunk < 30_000; chunk += 1) table.insert(chunk * 2 ** 31, chunk);
  for (let chunk = 0; chunk < 30_000; chunk += 1) {
    if (table.find(chunk * 2 ** 31) !== chunk) expect.fail(`chunk ${chunk} * 2^31`);
  }
});

test('what is removed is used again', () => {
  const table = filled(Array.from({ length: 20_000 }, (_, index) => [index * 2, index]));
  const memoryBytes = table.memoryBytes;
  for (let round = 0; round < 5; round += 1) {
    for (let index = 0; index < 20_000; index += 1) table.remove(index * 2);
    expect(contentOf(table).size).toBe(0);
    for (let index = 0; index < 20_000; index += 1) table.insert(index * 2 + round, index);
    for (let index = 0; index < 20_000; index += 1) table.remove(index * 2 + round);
    for (let index = 0; index < 20_000; index += 1) table.insert(index * 2, index);
  }
  expect(table.memoryBytes).toBe(memoryBytes);
});

test('a run takes at most 32 bytes, and chunks in runs a few', () => {
  const scattered = filled(Array.from({ length: 200_000 }, (_, index) => [index * 2, index]));
  expect(scattered.memoryBytes / scattered.count).toBeLessThan(32);
  const consecutive = filled(Array.from({ length: 200_000 }, (_, index) => [index, index + 2]));
  expect(consecutive.memoryBytes / consecutive.count).toBeLessThan(6);
});
