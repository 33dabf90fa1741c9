import { describe, expect, test } from 'vitest';
import { createPrng } from '../base/prng.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { Op } from '../core/bio.ts';
import { readSectors, submitBio } from '../testing/submit.ts';
import { blankImage } from './base-image.ts';
import { formatState } from './crash-state.ts';
import { RecordingDisk } from './recording-disk.ts';
import { type OfferedState, type SearchOptions, type Seat, searchStates } from './search.ts';
import { StateDisk } from './state-disk.ts';
import { StateImages } from './state-image.ts';

const SIZE = 1024;
const JOURNAL = 0;
const DATA = 512;

type Writer = (disk: RecordingDisk, round: number) => Promise<void>;

const put = (disk: RecordingDisk, sector: number, sectorCount: number, value: number) => {
  const data = new Uint8Array(sectorCount * SECTOR_BYTES).fill(value);
  return submitBio(disk, { op: Op.write, sector, sectorCount, data });
};
const flush = (disk: RecordingDisk) => submitBio(disk, { op: Op.flush });

/** Writes what is to be in place: journal first, then in place, then the journal is free again. */
const careful: Writer = async (disk, round) => {
  await put(disk, JOURNAL + 1, 16, round);
  await flush(disk);
  await put(disk, JOURNAL, 1, round);
  await flush(disk);
  await put(disk, DATA, 16, round);
  await flush(disk);
  await put(disk, JOURNAL, 1, 0);
  await flush(disk);
};

/** The same without the flush between the journal's content and what makes it valid. */
const careless: Writer = async (disk, round) => {
  await put(disk, JOURNAL + 1, 16, round);
  await put(disk, JOURNAL, 1, round);
  await flush(disk);
  await put(disk, DATA, 16, round);
  await flush(disk);
  await put(disk, JOURNAL, 1, 0);
};

/** Says that it is done before it is durable. */
const boaster: Writer = async (disk, round) => {
  await put(disk, DATA, 1, round);
  disk.mark(String(round));
  await put(disk, DATA + 100, 1, round);
};

async function record(writer: Writer, roundCount = 5): Promise<RecordingDisk> {
  const disk = new RecordingDisk({ base: blankImage(SIZE), clock: new SimulatedClock() });
  for (let round = 1; round <= roundCount; round += 1) await writer(disk, round);
  return disk;
}

/** Recovers from the journal if there is one; the data must be of one round then. */
async function isConsistent(disk: StateDisk): Promise<string | null> {
  const [valid = 0] = await readSectors(disk, JOURNAL, 1);
  if (valid !== 0) {
    const data = await readSectors(disk, JOURNAL + 1, 16);
    if (data.some((byte) => byte !== valid)) return `the journal is not of round ${valid}`;
    await submitBio(disk, { op: Op.write, sector: DATA, sectorCount: 16, data });
  }
  const data = await readSectors(disk, DATA, 16);
  return data.every((byte) => byte === data[0]) ? null : 'the data are of several rounds';
}

function seatOf(check: (disk: StateDisk, state: OfferedState) => Promise<string | null>): Seat {
  const disk = new StateDisk({ sizeSectors: SIZE, operand: 'state' });
  return async (offered) => {
    disk.insert(offered.image);
    const complaint = await check(disk, offered);
    return { isGood: complaint === null, output: complaint ?? '' };
  };
}

async function search(
  disk: RecordingDisk,
  check: Parameters<typeof seatOf>[0],
  options: Partial<SearchOptions> = {},
) {
  const images = new StateImages(disk.log, blankImage(SIZE));
  const result = await searchStates({
    images,
    seats: [seatOf(check), seatOf(check)],
    prng: createPrng(3),
    clock: new SimulatedClock(),
    tearSectors: 1,
    budget: { stateCount: 600 },
    firstPoint: 0,
    failureLimit: 1,
    ...options,
  });
  const words = result.failures.map(({ state }) => formatState(images.windows, state));
  return { ...result, words };
}

describe('the search', () => {
  test('finds nothing wrong with a careful writer, and looks at no content twice', async () => {
    const contents: string[] = [];
    const disk = await record(careful);
    const result = await search(disk, (state, { image }) => {
      contents.push(image.contentWord);
      return isConsistent(state);
    });
    expect(result).toMatchObject({ failures: [], stateCount: 600, ended: 'budget' });
    expect(result.reachedPointCount).toBe(result.pointCount);
    expect(new Set(contents).size).toBe(contents.length);
  });

  test('finds the flush that a careless one leaves out, and the one write that shows it', async () => {
    const result = await search(await record(careless), isConsistent);
    expect(result.ended).toBe('found');
    expect(result.failures[0]).toMatchObject({ side: 'survived', isRepeatable: true });
    // Entry 1 of a round makes the journal valid.
    const { survivors, point } = result.failures[0]!.state;
    expect(survivors).toHaveLength(1);
    expect(survivors[0]!.number % 6).toBe(1);
    expect(point).toBe(survivors[0]!.number + 1);
    expect(result.failures[0]!.output).toMatch(/the journal is not of round \d/);
  });

  test('finds a promise that was not kept, and the one write that was lost', async () => {
    const result = await search(await record(boaster), async (state, { mark }) => {
      const [value = 0] = await readSectors(state, DATA, 1);
      return value >= Number(mark ?? 0) ? null : `round ${mark} is gone`;
    });
    const { state, side, mark } = result.failures[0]!;
    expect(side).toBe('lost');
    const written = Number(mark) * 3 - 3;
    // At the mark at the latest it should have been durable; everything else is there.
    expect(state.point).toBe(written + 2);
    expect(state.survivors.map(({ number }) => number)).not.toContain(written);
    expect(result.words[0]).toMatch(new RegExp(`^${written + 2}:`));
  });

  test('finds a write that is bad only in part', async () => {
    const disk = await record(async (each) => void (await put(each, DATA, 16, 1)), 1);
    const result = await search(disk, async (state) => {
      const data = await readSectors(state, DATA, 16);
      return data.every((byte) => byte === data[0]) ? null : 'torn';
    });
    expect(result.failures).toHaveLength(1);
    expect(result.words[0]).toMatch(/^1:0@/);
    const whole = await search(disk, async () => null, { tearSectors: null });
    expect(whole).toMatchObject({ ended: 'exhausted', stateCount: 2, failures: [] });
  });

  test('goes on until it has as many failures as wanted', async () => {
    const result = await search(await record(careless), isConsistent, { failureLimit: 3 });
    expect(new Set(result.words).size).toBe(3);
  });

  test('says when a check does not depend on the disk alone', async () => {
    let count = 0;
    const result = await search(await record(careful), async () => {
      count += 1;
      return count === 10 ? 'a bad day' : null;
    });
    expect(result.failures[0]).toMatchObject({ isRepeatable: false, output: 'a bad day' });
  });

  test('does not make a state smaller for hours where checks hang', async () => {
    const clock = new SimulatedClock();
    const disk = await record(async (each, round) => put(each, DATA + round, 1, round).then(), 200);
    let hungCount = 0;
    const result = await search(
      disk,
      async (state) => {
        clock.after(60_000, () => {});
        await clock.runUntilIdle();
        const [first = 0] = await readSectors(state, DATA + 1, 1);
        const [last = 0] = await readSectors(state, DATA + 200, 1);
        if (last === 200 && first === 0) hungCount += 1;
        return last === 200 && first === 0 ? 'hangs' : null;
      },
      { clock, budget: { stateCount: 200 } },
    );
    expect(result.failures).toHaveLength(1);
    // That it is found, perhaps twice at a time, and five minutes.
    expect(hungCount).toBeLessThanOrEqual(7);
    expect(result.ended).toBe('found');
  });

  test('ends when its time is over, or when told', async () => {
    const clock = new SimulatedClock();
    const disk = await record(careful);
    const slow = async () => {
      clock.after(100, () => {});
      await clock.runUntilIdle();
      return null;
    };
    const timed = await search(disk, slow, { clock, budget: { timeMs: 1000 } });
    expect(timed.ended).toBe('budget');
    expect(timed.stateCount).toBeLessThan(15);
    const abort = new AbortController();
    const stopped = await search(
      disk,
      async () => {
        abort.abort();
        return null;
      },
      { signal: abort.signal },
    );
    expect(stopped.ended).toBe('interrupted');
    expect(stopped.stateCount).toBeLessThanOrEqual(2);
  });
});
