import { expect, test } from 'vitest';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { Op } from '../core/bio.ts';
import { submitBio } from '../testing/submit.ts';
import { blankImage } from './base-image.ts';
import { type CrashState, formatState, parseState } from './crash-state.ts';
import { LogWindows } from './log-windows.ts';
import { RecordingDisk } from './recording-disk.ts';
import { shrinkState } from './shrink.ts';

/** Forty writes of 8 sectors, nothing flushed. */
async function windowsOfWrites(): Promise<LogWindows> {
  const disk = new RecordingDisk({ base: blankImage(512), clock: new SimulatedClock() });
  for (let index = 0; index < 40; index += 1) {
    const data = new Uint8Array(4096);
    await submitBio(disk, { op: Op.write, sector: index * 8, sectorCount: 8, data });
  }
  return new LogWindows(disk.log);
}

/** Whole, or at least in part. */
const has = ({ survivors }: CrashState, wanted: number) =>
  survivors.some(({ number }) => number === wanted);
const hasWhole = ({ survivors }: CrashState, wanted: number) =>
  survivors.some(({ number, kept }) => number === wanted && kept === null);

test.each<[string, string, (state: CrashState) => boolean, string, string]>([
  [
    'two that must be there, and one that must not',
    '40:0-10,12-39',
    (state) => has(state, 7) && has(state, 23) && !has(state, 11),
    'lost',
    '24:0-10,12-23',
  ],
  [
    'one that must be there without two others',
    '38:1,5,9,20-37',
    (state) => has(state, 20) && !has(state, 3) && !has(state, 30),
    'survived',
    '21:20',
  ],
  [
    'one of which a part must be missing',
    '40:0-16,17@0-3,18-39',
    (state) => has(state, 17) && !hasWhole(state, 17),
    'survived',
    '18:17@0-3',
  ],
  [
    'one that was torn, and need not be',
    '40:2,17@0-3,30',
    (state) => has(state, 17),
    'survived',
    '18:17',
  ],
  [
    'two out of order',
    '40:9,5,4,8',
    ({ survivors }) => {
      const order = survivors.map(({ number }) => number);
      return order.includes(4) && order.indexOf(9) >= 0 && order.indexOf(9) < order.indexOf(4);
    },
    'survived',
    '10:9,4',
  ],
  [
    'a promise: late enough, and one is gone',
    '40:none',
    (state) => state.point >= 30 && !has(state, 12),
    'lost',
    '30:0-11,13-29',
  ],
])('%s', async (_what, word, isBad, side, expected) => {
  const windows = await windowsOfWrites();
  const looked: string[] = [];
  const shrunk = await shrinkState(windows, parseState(windows, word), async (state) => {
    looked.push(formatState(windows, state));
    return isBad(state);
  });
  expect({ side: shrunk.side, word: formatState(windows, shrunk.state) }).toEqual({
    side,
    word: expected,
  });
  expect(looked.length).toBeLessThan(200);
});
