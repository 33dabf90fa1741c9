import { describe, expect, test } from 'vitest';
import { Mapper } from '../core/mapper.ts';
import { parseTable } from '../core/table-text.ts';
import { createTargetRegistry } from '../core/target.ts';
import { readSectors } from '../testing/submit.ts';
import { describeTarget } from '../testing/target-laws.ts';
import { TestDisks } from '../testing/test-disk.ts';
import { striped } from './striped.ts';
import { unstriped } from './unstriped.ts';

describeTarget(unstriped, {
  version: '1.1.0',
  disks: { S: { sizeSectors: 127 } },
  maps: [
    {
      line: '0 16 unstriped 2 4 1 A 100',
      at: [
        [0, 'A', 104],
        [3, 'A', 107],
        [4, 'A', 112],
        [15, 'A', 131],
      ],
    },
    {
      line: '10 21 unstriped 3 7 0 A 0',
      at: [
        [10, 'A', 0],
        [17, 'A', 21],
        [30, 'A', 48],
      ],
    },
    { line: '0 12 unstriped 1 4 0 A 5', at: [[11, 'A', 16]] },
    {
      line: '0 8589934592 unstriped 3 128 2 A 0',
      at: [[8589934591, 'A', 25769803775]],
    },
  ],
  rejects: [
    { line: '0 16 unstriped 2 4 1 A', error: /unstriped: Invalid number of arguments/ },
    { line: '0 16 unstriped 0 4 1 A 0', error: /Invalid stripe count/ },
    { line: '0 16 unstriped 2 0 1 A 0', error: /Invalid chunk_size/ },
    { line: '0 16 unstriped 2 4 x A 0', error: /Invalid stripe number/ },
    { line: '0 16 unstriped 2 4 -1 A 0', error: /Invalid stripe number/ },
    { line: '0 16 unstriped 2 4 2 A 0', error: /Please provide stripe between .* 0 to 1, got 2/ },
    { line: '0 16 unstriped 1 4 1 A 0', error: /Please provide stripe between .* 0 to 0, got 1/ },
    { line: '0 16 unstriped 2 4 1 A x', error: /Invalid striped device offset/ },
    { line: '0 16 unstriped 2 4 1 A +1', error: /Invalid striped device offset/ },
    // The device is looked up before the offset is read, and whatever is wrong with it is EINVAL.
    { line: '0 16 unstriped 2 4 1 missing x', error: /Couldn't get striped device: .*missing/ },
    { line: '0 18 unstriped 2 4 1 A 0', error: /length not divisible by chunk size: 18 / },
    { line: '0 64 unstriped 2 64 1 S 0', error: /too small for target: start=64, len=64/ },
  ],
});

describe('unstriped', () => {
  test('numbers but the offset may carry a plus sign, and the smallest index is 0', async () => {
    const mapper = new Mapper({
      registry: createTargetRegistry([unstriped]),
      opener: new TestDisks(),
    });
    const table = await mapper.load(
      mapper.create({ name: 'plus' }),
      parseTable('0 16 unstriped +2 +4 +0 A 0'),
    );
    expect(table.tableLines()).toEqual(['0 16 unstriped 2 4 0 A 0']);
  });

  test('shows what striped dealt out', async () => {
    const disks = new TestDisks({ A: { sizeSectors: 24 }, B: { sizeSectors: 24 } });
    disks.get('A').bytes.fill(1);
    disks.get('B').bytes.fill(2);
    const mapper = new Mapper({
      registry: createTargetRegistry([striped, unstriped]),
      opener: disks,
    });
    const whole = mapper.create({ name: 'whole' });
    await mapper.load(whole, parseTable('0 48 striped 2 3 A 0 B 0'));
    await whole.resume();
    for (const [index, name] of ['A', 'B'].entries()) {
      const part = mapper.create({ name: `part${index}` });
      await mapper.load(part, parseTable(`0 24 unstriped 2 3 ${index} mapper/whole 0`));
      await part.resume();
      expect(await readSectors(part, 0, 24)).toEqual(disks.get(name).bytes);
    }
  });
});
