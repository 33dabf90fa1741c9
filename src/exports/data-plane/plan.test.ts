import { expect, test } from 'vitest';
import { MappedDevice } from '../../core/mapped-device.ts';
import type { TargetType } from '../../core/target.ts';
import { World } from '../../testing/world.ts';
import { buildPlan, READS_TYPE, REMOTE_TYPE } from './plan.ts';

/** Says that it is stateless, and no worker has it. */
const foreign: TargetType = {
  name: 'foreign',
  version: [1, 0, 0],
  usage: '',
  summary: '',
  features: ['stateless'],
  create: () => ({ map: () => 'kill', table: () => '', devices: () => [] }),
};

test('lists each device once, lower ones first, and names what every word meant', async () => {
  const world = new World({ disks: { A: { sizeSectors: 64 }, B: { sizeSectors: 64 } } });
  await world.start('lower', '0 32 linear A 0\n32 32 linear B 0');
  const table = '0 32 linear mapper/lower 0\n32 16 linear A 8\n48 16 linear mapper/lower 32';
  const top = await world.start('top', table);
  const { plan, devices } = buildPlan(top);
  expect(devices.map(({ name }) => name)).toEqual(['lower', 'top']);
  expect(plan.leaves.map(({ operand }) => operand)).toEqual(['A', 'B']);
  expect(plan.devices.map(({ operands }) => operands)).toEqual([
    [
      { word: 'A', leaf: 0 },
      { word: 'B', leaf: 1 },
    ],
    [
      { word: 'mapper/lower', device: 0 },
      { word: 'A', leaf: 0 },
    ],
  ]);
  // Only the main thread reaches test disks.
  expect(plan.leaves.map(({ direct }) => direct)).toEqual([null, null]);
  expect(structuredClone(plan).devices).toEqual(plan.devices);
});

test('leaves rows to the main thread that no worker can build', async () => {
  const world = new World({ disks: { A: { sizeSectors: 64 } }, types: [foreign] });
  const rows = '0 8 linear A 0\n8 8 foreign\n16 8 zero\n24 8 switch 1 8 0 A 0';
  const { plan } = buildPlan(await world.start('disk', rows));
  expect(plan.devices[0]!.rows.map(({ start, type }) => [start, type])).toEqual([
    [0, 'linear'],
    [8, REMOTE_TYPE],
    [16, 'zero'],
    [24, REMOTE_TYPE],
  ]);
});

test('lets workers pass a target by for as long as it says so', async () => {
  let ops: 'all' | 'reads' | null = 'all';
  const gate: TargetType = {
    ...foreign,
    name: 'gate',
    features: [],
    create(args, { length, start }) {
      const device = args.open(args.word('device'));
      return {
        map: () => 'kill',
        table: () => device.operand,
        devices: () => [{ device, startSectors: 4, lengthSectors: length }],
        passThrough: () => (ops === null ? null : { device, sectors: 4 - start, ops }),
      };
    },
  };
  const world = new World({ disks: { A: { sizeSectors: 64 } }, types: [gate] });
  const disk = await world.start('disk', '0 8 zero\n8 8 gate A');
  const row = () => {
    const { type, params } = buildPlan(disk).plan.devices[0]!.rows[1]!;
    return [type, params];
  };
  expect(row()).toEqual(['linear', 'A 4']);
  ops = 'reads';
  expect(row()).toEqual([READS_TYPE, 'A 4']);
  ops = null;
  expect(row()).toEqual([REMOTE_TYPE, '']);
});

test('has nothing to run for a device without a table', () => {
  const world = new World();
  const { plan, devices } = buildPlan(world.mapper.create({ name: 'empty' }));
  expect(devices[0]).toBeInstanceOf(MappedDevice);
  expect(plan.devices[0]!.rows).toEqual([]);
});

test('leaves a table to the main thread that is too large for a worker', async () => {
  const world = new World();
  const rows = (count: number) => Array.from({ length: count }, (_, row) => `${row} 1 zero`);
  const small = buildPlan(await world.start('small', rows(100_000).join('\n'))).plan;
  expect(small.devices[0]!.rows.length).toBe(100_000);
  const large = buildPlan(await world.start('large', rows(100_001).join('\n'))).plan;
  expect(large.devices[0]!.rows).toEqual([
    { start: 0, length: 100_001, type: REMOTE_TYPE, params: '' },
  ]);
});

test('leaves a device to the main thread whose statistics have regions', async () => {
  const world = new World({ disks: { A: { sizeSectors: 64 } } });
  const lower = await world.start('lower', '0 32 linear A 0\n32 32 zero');
  const upper = await world.start('upper', '0 64 linear mapper/lower 0');
  const region = { start: 0n, length: 64n, step: 64n, preciseTimestamps: false, bounds: [] };
  await lower.changeRegions((regions) =>
    regions.create({ ...region, programId: '-', auxiliaryData: '-' }),
  );
  const types = () => buildPlan(upper).plan.devices.map(({ rows }) => rows.map(({ type }) => type));
  expect(types()).toEqual([[REMOTE_TYPE], ['linear']]);
  await lower.changeRegions((regions) => regions.delete(0));
  expect(types()).toEqual([['linear', 'zero'], ['linear']]);
});
