import { describe, expect, test } from 'vitest';
import { createPrng, type Prng } from '../base/prng.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { BioFlag, Op } from '../core/bio.ts';
import { ExtentList } from '../core/extents.ts';
import { checkBytes } from '../testing/model.ts';
import { withSeed } from '../testing/seed.ts';
import { readSectors, submitBio } from '../testing/submit.ts';
import { type BaseImage, blankImage } from './base-image.ts';
import { describeEntry } from './crash-log.ts';
import { type CrashState, formatState, parseState, whole } from './crash-state.ts';
import { RecordingDisk } from './recording-disk.ts';
import { StateDisk } from './state-disk.ts';
import { StateImages } from './state-image.ts';
import { planStates } from './state-plan.ts';

const SIZE = 256;

function recorder(base: BaseImage = blankImage(SIZE)): RecordingDisk {
  return new RecordingDisk({ base, clock: new SimulatedClock() });
}

/** Every sector holds the letter. */
function write(disk: RecordingDisk, sector: number, letters: string, flags = 0): Promise<number> {
  const data = Buffer.concat([...letters].map((letter) => Buffer.alloc(SECTOR_BYTES, letter)));
  return submitBio(disk, { op: Op.write, sector, sectorCount: letters.length, data, flags });
}

const flush = (disk: RecordingDisk) => submitBio(disk, { op: Op.flush });

function stateDisk(images: StateImages, state: CrashState): StateDisk {
  const disk = new StateDisk({ sizeSectors: images.log.sizeSectors, operand: 'state' });
  disk.insert(images.build(state));
  return disk;
}

/** A letter for each sector, `.` for zeroes. */
async function lettersOf(disk: StateDisk, sector: number, count: number): Promise<string> {
  const bytes = await readSectors(disk, sector, count);
  const first = Array.from({ length: count }, (_, index) => bytes[sectorsToBytes(index)]!);
  return first.map((byte) => (byte === 0 ? '.' : String.fromCharCode(byte))).join('');
}

async function expectContent(disk: StateDisk, content: Uint8Array): Promise<void> {
  checkBytes('The disk', await readSectors(disk, 0, SIZE), content);
}

async function show(images: StateImages, word: string, count = 8): Promise<string> {
  return lettersOf(stateDisk(images, parseState(images.windows, word)), 0, count);
}

describe('a state', () => {
  test('has what was flushed, and of the rest what survived', async () => {
    const disk = recorder();
    await write(disk, 0, 'aaaa'); // 0
    await flush(disk); // 1
    await write(disk, 2, 'bb'); // 2
    await write(disk, 4, 'cc'); // 3
    disk.mark('done'); // 4
    await flush(disk); // 5
    const images = new StateImages(disk.log, blankImage(SIZE));
    expect(await show(images, '0:none')).toBe('........');
    // The flush is not over yet, so nothing is certain.
    expect(await show(images, '1:none')).toBe('........');
    expect(await show(images, '1:all')).toBe('aaaa....');
    expect(await show(images, '2:none')).toBe('aaaa....');
    expect(await show(images, '5:3')).toBe('aaaacc..');
    expect(await show(images, '5:2')).toBe('aabb....');
    expect(await show(images, '5:2-3')).toBe('aabbcc..');
    expect(await show(images, '6:none')).toBe('aabbcc..');
    expect(images.windows.markBefore(4)).toBeNull();
    expect(images.windows.markBefore(5)).toBe('done');
  });

  test('keeps what was written with FUA, over what had ended before and below what came later', async () => {
    const disk = recorder();
    await write(disk, 0, 'aaa'); // 0
    await write(disk, 1, 'b', BioFlag.fua); // 1
    await write(disk, 2, 'cc'); // 2
    const images = new StateImages(disk.log, blankImage(SIZE));
    expect(await show(images, '3:none')).toBe('.b......');
    expect(await show(images, '3:0')).toBe('aba.....');
    expect(await show(images, '3:2')).toBe('.bcc....');
    // The older one reached the disk last, but not over the one that was durable.
    expect(await show(images, '3:2,0')).toBe('abcc....');
    expect(await show(images, '1:0')).toBe('aaa.....');
  });

  test('applies survivors in their order, and parts of them', async () => {
    const disk = recorder();
    await write(disk, 0, 'aaaa'); // 0
    await write(disk, 2, 'bbbb'); // 1
    await submitBio(disk, { op: Op.discard, sector: 1, sectorCount: 2 }); // 2
    const images = new StateImages(disk.log, blankImage(SIZE));
    expect(await show(images, '3:0-1')).toBe('aabbbb..');
    expect(await show(images, '3:1,0')).toBe('aaaabb..');
    expect(await show(images, '3:all')).toBe('a..bbb..');
    expect(await show(images, '3:0@0+3,1@1-2')).toBe('a..bb...');
    expect(await show(images, '3:2,0-1')).toBe('aabbbb..');
  });

  test('lies over the image, and takes writes that are gone with the next state', async () => {
    const content = createPrng(7).fill(new Uint8Array(sectorsToBytes(SIZE)));
    const base: BaseImage = {
      sizeSectors: SIZE,
      isBlank: false,
      read: (sector, count, target, offset) =>
        target.set(
          content.subarray(sectorsToBytes(sector), sectorsToBytes(sector + count)),
          offset,
        ),
      close() {},
    };
    const disk = recorder(base);
    await write(disk, 70, 'a');
    const images = new StateImages(disk.log, base);
    const state = stateDisk(images, { point: 1, survivors: [] });
    await expectContent(state, content);
    const data = new Uint8Array(1024).fill(9);
    await submitBio(state, { op: Op.write, sector: 63, sectorCount: 2, data });
    await submitBio(state, { op: Op.writeZeroes, sector: 100, sectorCount: 100 });
    const changed = content.slice();
    changed.fill(9, 63 * 512, 65 * 512).fill(0, 100 * 512, 200 * 512);
    await expectContent(state, changed);
    state.insert(images.build({ point: 1, survivors: [whole(0)] }));
    const next = content.slice();
    next.fill('a'.charCodeAt(0), 70 * 512, 71 * 512);
    await expectContent(state, next);
    state.insert(null);
    await expect(readSectors(state, 0, 1)).rejects.toThrow('errno 5');
  });

  test('says where nothing is', async () => {
    const disk = recorder();
    await write(disk, 64, 'aa');
    const images = new StateImages(disk.log, blankImage(SIZE));
    const state = stateDisk(images, { point: 1, survivors: [whole(0)] });
    const extents = new ExtentList();
    await submitBio(state, { op: Op.blockStatus, sector: 0, sectorCount: 256, extents });
    expect(extents.normalized(256).map(({ lengthSectors }) => lengthSectors)).toEqual([
      64, 64, 128,
    ]);
  });
});

test('entries are told in words', async () => {
  const disk = recorder();
  await write(disk, 8, 'ab', BioFlag.fua);
  disk.mark('two');
  await submitBio(disk, { op: Op.discard, sector: 3, sectorCount: 1 });
  await flush(disk);
  expect([0, 1, 2, 3].map((number) => describeEntry(disk.log, number))).toEqual([
    '0: write of sectors 8 to 9 with FUA, at 0.000 s',
    '1: mark "two", at 0.000 s',
    '2: discard of sector 3, at 0.000 s',
    '3: flush, at 0.000 s',
  ]);
});

describe('the word of a state', () => {
  async function images(): Promise<StateImages> {
    const disk = recorder();
    for (let index = 0; index < 6; index += 1) await write(disk, index * 8, 'abcdefgh');
    await write(disk, 0, 'x', BioFlag.fua);
    return new StateImages(disk.log, blankImage(SIZE));
  }

  test.each([
    ['7:all'],
    ['7:none'],
    ['7:0-2,4'],
    ['7:4,0-2'],
    ['7:2,1,0'],
    ['7:0,2@0-3+6,5@1'],
    ['3:1'],
  ])('%s is read and written', async (word) => {
    const { windows } = await images();
    expect(formatState(windows, parseState(windows, word))).toBe(word);
  });

  test.each([
    ['', /expected e\.g\./],
    ['8:all', /has 7 entries/],
    ['7:9', /entry 9 is nothing that can be lost there/],
    ['7:6', /entry 6 is nothing that can be lost there/],
    ['3:3', /entry 3 is nothing that can be lost there/],
    ['7:1,1', /named twice/],
    ['7:1@8', /outside the 8 sectors/],
    ['7:1@3-2', /outside the 8 sectors/],
    ['7:-', /names no entries/],
  ])('"%s" is refused', async (word, reason) => {
    const { windows } = await images();
    expect(() => parseState(windows, word)).toThrow(reason);
  });
});

/** Any requests, few sectors, so that they lie on one another. */
async function randomLog(prng: Prng): Promise<RecordingDisk> {
  const disk = recorder();
  for (let index = 0; index < 80; index += 1) {
    const sector = prng.integer(0, 80);
    const count = prng.integer(1, 20);
    const kind = prng.integer(0, 9);
    if (kind === 0) await flush(disk);
    else if (kind === 1) await submitBio(disk, { op: Op.discard, sector, sectorCount: count });
    else if (kind === 2) disk.mark(String(index));
    else {
      const letters = String.fromCharCode(97 + prng.integer(0, 2)).repeat(count);
      await write(disk, sector, letters, prng.chance(0.2) ? BioFlag.fua : 0);
    }
  }
  return disk;
}

describe('planned states', () => {
  test('have of each sector what some order of the log could have left there', () =>
    withSeed(async (prng) => {
      const disk = await randomLog(prng);
      const { log } = disk;
      const images = new StateImages(log, blankImage(SIZE));
      const plan = planStates({ windows: images.windows, prng, tearSectors: 1 });
      for (let round = 0; round < 100; round += 1) {
        const { state } = plan.next().value!;
        const got = await lettersOf(stateDisk(images, state), 0, 100);
        const word = formatState(images.windows, state);
        expect(parseState(images.windows, word), word).toEqual(state);
        for (let sector = 0; sector < 100; sector += 1) {
          expect(possibleLetters(log, state.point, sector), `${word}, ${sector}`).toContain(
            got[sector],
          );
        }
      }
    }));

  test('are equal exactly where their words for content are', () =>
    withSeed(async (prng) => {
      const images = new StateImages((await randomLog(prng)).log, blankImage(SIZE));
      const plan = planStates({ windows: images.windows, prng, tearSectors: 8 });
      const wordByContent = new Map<string, string>();
      const contents = new Set<string>();
      for (let round = 0; round < 150; round += 1) {
        const { state } = plan.next().value!;
        const content = await lettersOf(stateDisk(images, state), 0, 120);
        const { contentWord } = images.build(state);
        expect(wordByContent.get(content) ?? contentWord).toBe(contentWord);
        wordByContent.set(content, contentWord);
        contents.add(content);
      }
      expect(new Set(wordByContent.values()).size).toBe(contents.size);
    }));

  test('begin with every flush, FUA and mark, and have every subset of a small window', async () => {
    const disk = recorder();
    await write(disk, 0, 'a'); // 0
    await flush(disk); // 1
    await write(disk, 1, 'b'); // 2
    await write(disk, 2, 'c'); // 3
    await flush(disk); // 4
    const { windows } = new StateImages(disk.log, blankImage(SIZE));
    const words = plannedWords(windows);
    expect(words).toEqual(
      expect.arrayContaining(['0:none', '1:all', '1:none', '2:none', '4:all', '5:none']),
    );
    expect(words).toEqual(expect.arrayContaining(['4:none', '4:2', '4:3', '3:all']));
  });

  test('have nothing and all of a large window at its flush, and each of its writes alone', async () => {
    const disk = recorder();
    for (let sector = 0; sector < 6; sector += 1) await write(disk, sector, 'a');
    await flush(disk);
    const { windows } = new StateImages(disk.log, blankImage(SIZE));
    const words = plannedWords(windows);
    expect(words).toEqual(expect.arrayContaining(['6:none', '6:all', '4:3', '6:0-2,4-5']));
  });

  test('are of every kind from the beginning, though there are more flushes than states', async () => {
    const disk = recorder();
    for (let round = 0; round < 500; round += 1) {
      await write(disk, (round % 60) * 4, 'abcd');
      await flush(disk);
    }
    const { windows } = new StateImages(disk.log, blankImage(SIZE));
    const plan = planStates({ windows, prng: createPrng(1), tearSectors: 1 });
    const states = Array.from({ length: 180 }, () => plan.next().value!);
    const countOf = (wanted: string) => states.filter(({ kind }) => kind === wanted).length;
    expect(['point', 'prefix', 'subset', 'sample'].map(countOf)).toEqual([80, 40, 40, 20]);
    const quarters = new Set(states.map(({ state }) => Math.floor(state.point / 251)));
    expect(quarters.size).toBe(4);
  });

  test('leave out what came before the first point', async () => {
    const disk = recorder();
    await write(disk, 0, 'a');
    await flush(disk);
    await write(disk, 1, 'b');
    const { windows } = new StateImages(disk.log, blankImage(SIZE));
    const plan = planStates({ windows, prng: createPrng(1), tearSectors: null, firstPoint: 2 });
    for (let round = 0; round < 50; round += 1) {
      expect(plan.next().value!.state.point).toBeGreaterThanOrEqual(2);
    }
  });

  test('are the same for the same seed', async () => {
    const { windows } = new StateImages((await randomLog(createPrng(5))).log, blankImage(SIZE));
    const words = (seed: number) => {
      const plan = planStates({ windows, prng: createPrng(seed), tearSectors: 1 });
      return Array.from({ length: 250 }, () => formatState(windows, plan.next().value!.state));
    };
    expect(words(1)).toEqual(words(1));
    expect(words(1)).not.toEqual(words(2));
  });
});

/** All but samples, of a small log. */
function plannedWords(windows: StateImages['windows']): string[] {
  const plan = planStates({ windows, prng: createPrng(1), tearSectors: null });
  const states = Array.from({ length: 100 }, () => plan.next().value!);
  return states
    .filter(({ kind }) => kind !== 'sample')
    .map(({ state }) => formatState(windows, state));
}

/** What a sector may hold: the last thing that is durable at the point, or anything written to it since. */
function possibleLetters(
  { entries, data }: RecordingDisk['log'],
  point: number,
  sector: number,
): string[] {
  let flushed = point - 1;
  while (flushed > 0 && !entries.flushes(flushed)) flushed -= 1;
  let possible = ['.'];
  for (let number = 0; number < point; number += 1) {
    const entry = entries.at(number);
    if (sector < entry.sector || sector >= entry.sector + entry.sectorCount) continue;
    const bytes = new Uint8Array(SECTOR_BYTES);
    if (entry.kind === 'write') data.read(entry.dataSector, 1, bytes, 0);
    const letter = bytes[0] === 0 ? '.' : String.fromCharCode(bytes[0]!);
    if (entry.fua || number < flushed) possible = [letter];
    else possible.push(letter);
  }
  return possible;
}
