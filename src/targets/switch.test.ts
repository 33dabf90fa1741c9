import { describe, expect, test } from 'vitest';
import { createPrng } from '../base/prng.ts';
import { Op } from '../core/bio.ts';
import { Mapper } from '../core/mapper.ts';
import { parseTable } from '../core/table-text.ts';
import { createTargetRegistry } from '../core/target.ts';
import { submitBio } from '../testing/submit.ts';
import { describeTarget } from '../testing/target-laws.ts';
import { TestDisks } from '../testing/test-disk.ts';
import { switchTarget } from './switch.ts';

describeTarget(switchTarget, {
  version: '1.1.0',
  features: [],
  exempt: ['whole ranges'],
  disks: { S: { sizeSectors: 100 } },
  maps: [
    {
      line: '0 100 switch 2 16 0 A 8 B 1000',
      at: [
        [0, 'A', 8],
        [15, 'A', 23],
        [16, 'B', 1016],
        [32, 'A', 40],
        [99, 'A', 107],
      ],
    },
    {
      line: '10 21 switch 3 7 0 A 1 B 2 C 3',
      at: [
        [10, 'A', 1],
        [17, 'B', 9],
        [30, 'C', 23],
      ],
    },
    { line: '0 20 switch 1 4096 0 A 0', at: [[19, 'A', 19]] },
    {
      line: '0 17179869184 switch 2 65536 0 A 0 B 0',
      at: [
        [17179869183, 'B', 17179869183],
        [4294967296, 'A', 4294967296],
      ],
    },
  ],
  rejects: [
    { line: '0 100 switch', error: /switch: Invalid number of paths/ },
    { line: '0 100 switch 0 16 0', error: /Invalid number of paths/ },
    { line: '0 100 switch +1 16 0 A 0', error: /Invalid number of paths/ },
    { line: '0 100 switch 262142 16 0 A 0', error: /Invalid number of paths/ },
    { line: '0 100 switch 262141 16 0 A 0', error: /Incorrect number of path arguments/ },
    { line: '0 100 switch 1', error: /Invalid region size/ },
    { line: '0 100 switch 1 0 0 A 0', error: /Invalid region size/ },
    { line: '0 100 switch 1 4294967296 0 A 0', error: /Invalid region size/ },
    { line: '0 100 switch 1 16', error: /Invalid number of optional args/ },
    { line: '0 100 switch 1 16 1 A 0', error: /Invalid number of optional args/ },
    { line: '0 100 switch 1 16 0', error: /Incorrect number of path arguments/ },
    { line: '0 100 switch 1 16 0 A', error: /Incorrect number of path arguments/ },
    { line: '0 100 switch 1 16 0 A 0 B 0', error: /Incorrect number of path arguments/ },
    { line: '0 100 switch 1 16 0 A x', error: /Invalid device starting offset/ },
    // The device is looked up before the offset is read.
    { line: '0 100 switch 1 16 0 missing x', code: 'ENOENT', error: /Device lookup failed/ },
    { line: '0 100 switch 1 16 0 S 1', error: /S too small for target: start=1, len=100/ },
    // As many bits a region as the number of paths takes.
    {
      line: '0 17179869184 switch 1 1 0 A 0',
      code: 'ENOMEM',
      error: /Cannot allocate region table: 17179869184 regions take 2147483648 bytes/,
    },
    {
      line: '0 17179869184 switch 2 1 0 A 0 A 0',
      code: 'ENOMEM',
      error: /17179869184 regions take 2147483648 bytes/,
    },
    {
      line: '0 17179869184 switch 3 1 0 A 0 A 0 A 0',
      code: 'ENOMEM',
      error: /17179869184 regions take 4294967296 bytes/,
    },
    {
      line: `0 17179869184 switch 17 1 0${' A 0'.repeat(17)}`,
      code: 'ENOMEM',
      error: /17179869184 regions take 11453246124 bytes/,
    },
  ],
});

describe('switch messages', () => {
  async function create(pathCount: number, regionCount: number) {
    const disks = new TestDisks();
    const mapper = new Mapper({ registry: createTargetRegistry([switchTarget]), opener: disks });
    const device = mapper.create({ name: 'switch' });
    const paths = Array.from({ length: pathCount }, (_, path) => `A ${path * 1_000_000}`);
    const length = regionCount * 8 - 3; // the last region is not whole
    await mapper.load(device, parseTable(`0 ${length} switch ${pathCount} 8 0 ${paths.join(' ')}`));
    await device.resume();
    const send = (...mappings: string[]) => device.message(0, ['set_region_mappings', ...mappings]);
    /** The path of each region, as reads show it. */
    async function mappings(): Promise<number[]> {
      const disk = disks.get('A');
      disk.recorded = [];
      for (let region = 0; region < regionCount; region += 1) {
        await submitBio(device, { op: Op.discard, sector: region * 8, sectorCount: 1 });
      }
      return disk.recorded.map(({ sector }) => Math.floor(sector / 1_000_000));
    }
    return { device, send, mappings };
  }

  test('an offset may carry a plus sign', async () => {
    const disks = new TestDisks();
    const mapper = new Mapper({ registry: createTargetRegistry([switchTarget]), opener: disks });
    const device = mapper.create({ name: 'switch' });
    const table = await mapper.load(device, parseTable('0 8 switch 1 8 0 A +8'));
    expect(table.tableLines()).toEqual(['0 8 switch 1 8 0 A 8']);
  });

  test('begin with the paths in turn', async () => {
    const { mappings } = await create(3, 40);
    expect(await mappings()).toEqual(Array.from({ length: 40 }, (_, region) => region % 3));
  });

  test.each([
    [['0:2'], [2, 1, 2, 0, 1, 2, 0, 1]],
    [
      ['1:2', ':2', ':0'],
      [0, 2, 2, 0, 1, 2, 0, 1],
    ],
    // Without a region in front the second one is meant.
    [[':0'], [0, 0, 2, 0, 1, 2, 0, 1]],
    [
      ['0:2', 'R1,7'],
      [2, 2, 2, 2, 2, 2, 2, 2],
    ],
    [
      ['0:2', ':0', 'r2,4', ':1'],
      [2, 0, 2, 0, 2, 0, 1, 1],
    ],
    [
      ['0:1', 'R1,0'],
      [1, 1, 2, 0, 1, 2, 0, 1],
    ],
    [['R1,2'], [0, 0, 0, 0, 1, 2, 0, 1]],
    [
      ['07:00', '00000000000000000000004:2'],
      [0, 1, 2, 0, 2, 2, 0, 0],
    ],
    // 64 bits: what does not fit falls off in front.
    [['10000000000000001:2'], [0, 2, 2, 0, 1, 2, 0, 1]],
    [[], [0, 1, 2, 0, 1, 2, 0, 1]],
  ])('set_region_mappings %j', async (arguments_, expected) => {
    const { send, mappings } = await create(3, 8);
    await send(...arguments_);
    expect(await mappings()).toEqual(expected);
  });

  test.each([
    ['8:0', /invalid set_region_mappings region number: 8 >= 8/],
    ['0:3', /invalid set_region_mappings device: 3 >= 3/],
    ['0', /invalid set_region_mappings argument/],
    ['0:', /invalid set_region_mappings argument/],
    [':', /invalid set_region_mappings argument/],
    ['x:1', /invalid set_region_mappings argument/],
    ['0x1:1', /invalid set_region_mappings argument/],
    ['0:1x', /invalid set_region_mappings argument/],
    ['-1:1', /invalid set_region_mappings argument/],
    ['R', /invalid set_region_mappings argument/],
    ['R1', /invalid set_region_mappings argument/],
    ['R1,', /invalid set_region_mappings argument/],
    ['R,1', /invalid set_region_mappings argument/],
    ['R1,1x', /invalid set_region_mappings argument/],
    [
      'R0,1',
      /^Cannot set region mappings: invalid set_region_mappings cycle length: .* 1 to 1, got 0/,
    ],
    ['R2,1', /invalid set_region_mappings cycle length/],
    ['R1,8', /invalid set_region_mappings region number: 0 \+ 8 >= 8/],
    ['R1,ffffffffffffffff', /invalid set_region_mappings region number/],
  ])('refuses %s, and keeps what stood before it', async (argument, error) => {
    const { send, mappings } = await create(3, 8);
    await expect(send(argument)).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(error) as string,
    });
    expect(await mappings()).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
    await expect(send('7:0', '0:0', argument)).rejects.toThrow(error);
    expect(await mappings()).toEqual([0, 1, 2, 0, 1, 2, 0, 0]);
  });

  test('of another name are refused', async () => {
    const { device } = await create(1, 1);
    await expect(device.message(0, ['nonsense', 'x'])).rejects.toMatchObject({
      code: 'EINVAL',
      message: 'Unrecognised message received: "nonsense x"',
    });
    await expect(device.message(0, ['SET_REGION_MAPPINGS', '0:0'])).resolves.toBeUndefined();
  });

  test.each([1, 2, 3, 4, 5, 17, 300])('keep apart the regions of %i paths', async (pathCount) => {
    const { send, mappings } = await create(pathCount, 700);
    const expected = Array.from({ length: 700 }, (_, region) => region % pathCount);
    expect(await mappings()).toEqual(expected);
    const prng = createPrng(pathCount);
    for (let count = 0; count < 300; count += 1) {
      const region = prng.integer(0, 699);
      const path = prng.integer(0, pathCount - 1);
      expected[region] = path;
      await send(`${region.toString(16)}:${path.toString(16)}`);
    }
    expect(await mappings()).toEqual(expected);
  });
});
