import { describe, expect, test } from 'vitest';
import type { DeviceDetails, DevicesAnswer } from '../daemon/devices-method.ts';
import { PLAIN } from './style.ts';
import { frameLines, frameObject } from './watch-frame.ts';
import { ratesBetween } from './watch-rates.ts';

const idle = {
  reads: 0,
  readSectors: 0,
  readMs: 0,
  writes: 0,
  writeSectors: 0,
  writeMs: 0,
  discards: 0,
  discardSectors: 0,
  discardMs: 0,
  flushes: 0,
  flushMs: 0,
  inFlight: 0,
};

function device(name: string, minor: number, rest: Partial<DeviceDetails> = {}): DeviceDetails {
  return {
    name,
    uuid: '',
    number: `252:${minor}`,
    sizeSectors: 2048,
    openCount: 0,
    suspended: false,
    readOnly: false,
    deferredRemove: false,
    eventNumber: 0,
    liveRowCount: 1,
    inactiveTable: false,
    readAheadSectors: 256,
    counters: idle,
    uris: [],
    dependencies: [],
    ...rest,
  };
}

const leaf = {
  number: '251:0',
  operand: '/a.img',
  sizeSectors: 2048,
  readOnly: false,
  userCount: 1,
};
const before: DevicesAnswer = {
  devices: [
    device('low', 0, { dependencies: ['251:0'] }),
    device('top', 1, { dependencies: ['252:0'] }),
  ],
  leaves: [leaf],
};
const busy = {
  ...idle,
  reads: 100,
  readSectors: 800,
  readMs: 50,
  writes: 3,
  writeSectors: 6144,
  inFlight: 4,
};
const now: DevicesAnswer = {
  ...before,
  devices: [{ ...before.devices[0]!, counters: busy }, before.devices[1]!],
};
const wide = { columns: 110, lines: null };

test('rates are differences over time', () => {
  expect(ratesBetween(before, now, 500).get('252:0')).toEqual({
    readBytesPerSecond: 819_200,
    writeBytesPerSecond: 6_291_456,
    readsPerSecond: 200,
    writesPerSecond: 6,
    readMs: 0.5,
    writeMs: 0,
    inFlight: 4,
  });
  expect(ratesBetween(before, now, 500).get('252:1')).toMatchObject({
    readsPerSecond: 0,
    readMs: null,
  });
});

describe('counters that start again', () => {
  test.each([
    ['no answer before', null, now],
    ['made anew', now, before],
    ['no time between', before, now],
  ])('%s', (_, first, second) => {
    const rates = [...ratesBetween(first, second, 0).values()];
    expect(rates.map(({ readsPerSecond }) => readsPerSecond)).toEqual([0, 0]);
  });
});

test('a frame is the tree with what happens on each device', () => {
  expect(frameLines(now, ratesBetween(before, now, 500), wide, PLAIN)).toEqual([
    'DEVICE                            READ/s   WRITE/s    R IOPS    W IOPS      R ms      W ms      BUSY      SIZE',
    'top                                  0 B       0 B         0         0         -         -         0     1 MiB',
    ' └─low                           800 KiB     6 MiB       200         6      0.50      0.00         4     1 MiB',
    '    └─/a.img',
  ]);
});

test('a frame fits the screen', () => {
  const many = Array.from({ length: 50 }, (_, minor) =>
    device(`a-rather-long-name-${minor}`, minor),
  );
  const answer = { devices: many, leaves: [] };
  const rates = ratesBetween(null, answer, 1000);
  const lines = frameLines(answer, rates, { columns: 60, lines: 10 }, PLAIN);
  expect(lines).toHaveLength(9);
  expect(lines.every((line) => line.length <= 60)).toBe(true);
  expect(lines[1]).toMatch(/^a-rather-long-n… +0 B/);
  expect(lines.at(-1)).toBe('... 43 more lines');
  expect(frameLines(answer, rates, { columns: 1, lines: 1 }, PLAIN).length).toBeLessThanOrEqual(2);
});

test('without devices a frame says so', () => {
  const nothing = { devices: [], leaves: [] };
  expect(frameLines(nothing, new Map(), wide, PLAIN).at(-1)).toBe('No devices found');
});

test('names do not reach the terminal as commands', () => {
  const hostile = { ...leaf, operand: '/\u001b[2J\u0007\n.img' };
  const text = frameLines({ ...before, leaves: [hostile] }, new Map(), wide, PLAIN).join('\n');
  expect(text).toContain('/?[2J??.img');
});

test('a frame as JSON', () => {
  const rates = ratesBetween(before, now, 500);
  expect(frameObject(now, rates, { wallMs: 0, intervalMs: 500.4 })).toMatchObject({
    time: '1970-01-01T00:00:00.000Z',
    intervalMs: 500,
    devices: [
      { name: 'low', number: '252:0', readsPerSecond: 200, inFlight: 4 },
      { name: 'top', number: '252:1', readsPerSecond: 0 },
    ],
  });
});
