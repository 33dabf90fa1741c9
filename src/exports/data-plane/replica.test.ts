import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { Op } from '../../core/bio.ts';
import { DEFAULT_LIMITS } from '../../core/limits.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { STATISTICS_BYTES } from '../../core/statistics.ts';
import { plainMemory } from '../../core/target-memory.ts';
import { submitBio } from '../../testing/submit.ts';
import { CountJournal } from './count-journal.ts';
import { NEEDS_MAIN } from './direct-leaf.ts';
import { FileRanges } from './file-ranges.ts';
import type { Plan, PlanDevice } from './plan.ts';
import { createReplica } from './replica.ts';

const SECTORS = 16;

function memory(fill: number): SharedArrayBuffer {
  const bytes = new SharedArrayBuffer(SECTORS * 512);
  new Uint8Array(bytes).fill(fill);
  return bytes;
}

function leaf(operand: string, bytes: SharedArrayBuffer | null): Plan['leaves'][number] {
  const direct = bytes && { kind: 'memory' as const, bytes };
  return { operand, sizeSectors: SECTORS, limits: DEFAULT_LIMITS, readOnly: false, direct };
}

const ranges = new FileRanges();

async function build(devices: PlanDevice[], leaves: Plan['leaves']): Promise<MappedDevice> {
  const statistics = new SharedArrayBuffer(devices.length * STATISTICS_BYTES);
  const plan: Plan = { leaves, devices, logicalBlockBytes: 512, statistics };
  const replica = await createReplica(plan, {
    clock: new SimulatedClock(),
    files: {} as Parameters<typeof createReplica>[1]['files'],
    nowMs: () => 0,
    buffers: [],
    ranges,
    deferral: { disk: null },
    journal: new CountJournal(),
    memory: plainMemory,
  });
  return replica.device;
}

const linear = (start: number, length: number, params: string) => ({
  start,
  length,
  type: 'linear',
  params,
});

async function firstByte(device: MappedDevice, sector: number): Promise<number | string> {
  const data = new Uint8Array(512);
  const error = await submitBio(device, { op: Op.read, sector, sectorCount: 1, data });
  return error === 0 ? data[0]! : `error ${error}`;
}

test('reads and writes through the stack what the leaves hold', async () => {
  const [a, b] = [memory(1), memory(2)];
  const lower: PlanDevice = {
    name: 'lower',
    readOnly: false,
    rows: [linear(0, 8, 'A 8'), linear(8, 8, 'B 0')],
    operands: [
      { word: 'A', leaf: 0 },
      { word: 'B', leaf: 1 },
    ],
  };
  const top: PlanDevice = {
    name: 'top',
    readOnly: false,
    rows: [linear(0, 16, 'x 0')],
    operands: [{ word: 'x', device: 0 }],
  };
  const device = await build([lower, top], [leaf('A', a), leaf('B', b)]);
  expect([await firstByte(device, 0), await firstByte(device, 8)]).toEqual([1, 2]);
  const data = new Uint8Array(512).fill(9);
  expect(await submitBio(device, { op: Op.write, sector: 7, sectorCount: 1, data })).toBe(0);
  expect(new Uint8Array(a)[15 * 512]).toBe(9);
});

test('hands back what only the main thread can do', async () => {
  const device = await build(
    [
      {
        name: 'disk',
        readOnly: false,
        rows: [
          linear(0, 8, 'A 0'),
          { start: 8, length: 4, type: '(remote)', params: '' },
          linear(12, 4, 'B 0'),
        ],
        operands: [
          { word: 'A', leaf: 0 },
          { word: 'B', leaf: 1 },
        ],
      },
    ],
    [leaf('A', memory(1)), leaf('B', null)],
  );
  expect(await firstByte(device, 0)).toBe(1);
  expect(await firstByte(device, 8)).toBe(`error ${NEEDS_MAIN}`);
  expect(await firstByte(device, 12)).toBe(`error ${NEEDS_MAIN}`);
  for (const op of [Op.flush, Op.discard, Op.writeZeroes]) {
    const range = { sector: 0, sectorCount: op === Op.flush ? 0 : 1 };
    expect(await submitBio(device, { op, ...range }), String(op)).toBe(NEEDS_MAIN);
  }
});

test('leaves a table that would be refused today to the main thread', async () => {
  const device = await build(
    [
      {
        name: 'disk',
        readOnly: false,
        // A is smaller than that by now.
        rows: [linear(0, 32, 'A 0')],
        operands: [{ word: 'A', leaf: 0 }],
      },
    ],
    [leaf('A', memory(1))],
  );
  expect(device.sizeSectors).toBe(32);
  expect(await firstByte(device, 0)).toBe(`error ${NEEDS_MAIN}`);
});

test('memory says that it is no file when files are asked for', async () => {
  const rows = [linear(0, 16, 'A 0')];
  const operands = [{ word: 'A', leaf: 0 }];
  const device = await build(
    [{ name: 'disk', readOnly: false, rows, operands }],
    [leaf('A', memory(1))],
  );
  ranges.begin();
  const error = await submitBio(device, { op: Op.read, sector: 0, sectorCount: 16 });
  ranges.end();
  expect([error, ranges.count]).toEqual([NEEDS_MAIN, 0]);
});
