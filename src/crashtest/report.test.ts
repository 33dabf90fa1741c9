import { expect, test } from 'vitest';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { Op } from '../core/bio.ts';
import { submitBio } from '../testing/submit.ts';
import { blankImage } from './base-image.ts';
import { parseState } from './crash-state.ts';
import { LogWindows } from './log-windows.ts';
import { RecordingDisk } from './recording-disk.ts';
import { failureLines, junitReport, reportOf } from './report.ts';
import type { BadState, SearchResult } from './search.ts';

const RESULT: Omit<SearchResult, 'failures'> = {
  stateCount: 10,
  duplicateCount: 2,
  pointCount: 3,
  reachedPointCount: 3,
  elapsedMs: 1500,
  ended: 'found',
};

async function windowsOf(writeCount: number): Promise<LogWindows> {
  const disk = new RecordingDisk({ base: blankImage(256), clock: new SimulatedClock() });
  for (let index = 0; index < writeCount; index += 1) {
    const data = new Uint8Array(4096);
    await submitBio(disk, { op: Op.write, sector: index * 8, sectorCount: 8, data });
  }
  return new LogWindows(disk.log);
}

async function reportFor(word: string, facts: Partial<BadState> = {}, writeCount = 3) {
  const windows = await windowsOf(writeCount);
  const state = parseState(windows, word);
  const failure: BadState = {
    state,
    side: 'survived',
    mark: 'seven',
    output: 'a <bad> day\u0001',
    foundWord: word,
    isRepeatable: true,
    ...facts,
  };
  return reportOf(windows, { ...RESULT, failures: [failure] }, { seed: 5 });
}

test('a failure names the writes that are there, in part or not', async () => {
  const { failures, ...totals } = await reportFor('3:0,2@1-3+7');
  expect(totals).toMatchObject({ seed: 5, sizeSectors: 256, entryCount: 3 });
  expect(failures[0]).toMatchObject({
    state: '3:0,2@1-3+7',
    point: 3,
    survived: [
      { entry: 0, sector: 0, kept: null },
      { entry: 2, sector: 16, kept: ['17-19', '23-23'] },
    ],
    lost: [{ entry: 1 }, { entry: 2 }],
  });
  expect(failureLines(failures[0]!)).toEqual([
    'It is enough that 2 unflushed writes are there:',
    '  0: write of sectors 0 to 7, at 0.000 s',
    '  2: write of sectors 16 to 23, at 0.000 s; of it reached the disk: 17-19, 23-23',
    'while 2 unflushed writes are not, or not whole:',
    '  1: write of sectors 8 to 15, at 0.000 s',
    '  2: write of sectors 16 to 23, at 0.000 s; of it reached the disk: 17-19, 23-23',
  ]);
});

test('what was lost comes first where it is the smaller part, and long lists are cut', async () => {
  const { failures } = await reportFor('20:1-19', { side: 'lost' }, 20);
  expect(failureLines(failures[0]!)).toEqual([
    'It is enough that 1 unflushed write is lost, though all else is there:',
    '  0: write of sectors 0 to 7, at 0.000 s',
  ]);
  const none = await reportFor('20:none', { isRepeatable: false }, 20);
  const lines = failureLines(none.failures[0]!);
  expect(lines[0]).toMatch(/^A second look/);
  expect(lines.at(-1)).toBe('  and 8 more');
});

test('JUnit has a case for each failure, or one for all states', async () => {
  const report = await reportFor('3:all');
  const text = junitReport(report, (state) => `again --state ${state} --check 'a "b" & c'`);
  expect(text).toContain('<testsuites tests="1" failures="1" time="1.500">');
  expect(text).toContain('name="state 3:all"');
  expect(text).toContain('after the mark &quot;seven&quot;');
  expect(text).toContain("--check 'a &quot;b&quot; &amp; c'\na &lt;bad&gt; day?</failure>");
  const good = junitReport({ ...report, failures: [] }, String);
  expect(good).toContain('name="10 states after a power cut" time="1.500"/>');
});
