import { describe, expect, test } from 'vitest';
import { DmError } from '../base/errors.ts';
import { targets } from '../targets/index.ts';
import { Probe } from '../testing/probe-target.ts';
import { type TestDiskOptions, TestDisks } from '../testing/test-disk.ts';
import { RowError, Table } from './table.ts';
import { parseTable } from './table-text.ts';
import { createTargetRegistry, type TargetType } from './target.ts';

const alone = new Probe({ name: 'alone', features: ['singleton'] });
const fixed = new Probe({ name: 'fixed', features: ['immutable'] });
const writer = new Probe({ name: 'writer', features: ['always-writeable'] });

const DISKS: Record<string, TestDiskOptions> = {
  S: { sizeSectors: 16 },
  E: { sizeSectors: 0 },
  K: { limits: { logicalBlockBytes: 4096 } },
  N: { limits: { discardGranularityBytes: 0 } },
};

async function load(
  text: string,
  options: { disks?: TestDisks; types?: readonly TargetType[]; readOnly?: boolean } = {},
): Promise<Table> {
  const { disks = new TestDisks(DISKS), types = [], readOnly = false } = options;
  const registry = createTargetRegistry([
    ...targets,
    alone.type,
    fixed.type,
    writer.type,
    ...types,
  ]);
  const onEvent = () => undefined;
  return await Table.load(parseTable(text), { registry, opener: disks, readOnly, onEvent });
}

test.each([
  ['', /no targets specified/],
  ['0 0 zero', /zero: zero-length target \(table row at sector 0\)/],
  ['0 0 nosuch', /zero-length target/],
  ['0 8 nosuch', /nosuch: unknown target type/],
  ['0 17592186044416 zero', /zero: too large device/],
  ['17592186044408 16 nosuch', /too large device/],
  ['-1 8 zero', /too large device/],
  ['1 8 zero', /Gap in table: expected the row to start at sector 0, got 1/],
  ['0 8 zero\n9 8 zero', /Gap in table: .* 8, got 9 \(table row at sector 9\)/],
  ['0 8 zero\n7 8 zero', /Gap in table/],
  ['0 8 zero\n0 8 zero', /Gap in table/],
  ['8 8 zero\n0 8 zero', /Gap in table/],
  ['0 8 zero\n9 8 nosuch', /unknown target type/],
  ['0 8 zero\n9 8 zero x', /Gap in table/],
  ['0 8 alone A 0\n8 8 zero', /alone must appear alone in table/],
  ['0 8 zero\n8 8 alone A 0', /singleton target type must appear alone in table/],
  ['0 8 fixed A 0\n8 8 zero', /immutable target type cannot be mixed/],
  ['0 8 zero\n8 8 fixed A 0', /immutable target type cannot be mixed/],
  ['0 17 linear S 0', /linear: S too small for target: start=0, len=17, dev_size=16/],
  ['0 8 zero\n8 8 linear S 9', /S too small for target: start=9, len=8/],
])('refuses %j', async (text, error) => {
  await expect(load(text)).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringMatching(error) as string,
  });
});

test.each([
  '0 17592186044415 zero',
  '0 8 zero\n8 8 error\n16 8 linear A 0',
  '0 8 alone A 0',
  '0 8 fixed A 0\n8 8 fixed A 8',
  '0 16 linear S 0',
  // What has no size yet is not judged.
  '0 100 linear E 7',
])('takes %j and prints it again', async (text) => {
  const table = await load(text);
  expect(
    table
      .tableLines()
      .map((line) => line.trimEnd())
      .join('\n'),
  ).toBe(text);
  expect(table.sizeSectors).toBe(table.rows.at(-1)!.end);
});

test('a refusal names the row and keeps the cause', async () => {
  const error = await load('0 8 zero\n8 8 linear missing 0').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RowError);
  expect(error).toMatchObject({ code: 'ENOENT', row: { start: 8, type: 'linear' } });
  expect((error as RowError).cause).toBeInstanceOf(DmError);
});

test('a read-only table refuses what must write, and opens its devices for reading', async () => {
  await expect(load('0 8 writer A 0', { readOnly: true })).rejects.toThrow(/read-only table/);
  const disks = new TestDisks();
  const modes: boolean[] = [];
  const open = disks.open.bind(disks);
  disks.open = (operand, mode?: { readOnly: boolean }) => {
    modes.push(mode?.readOnly ?? false);
    return open(operand);
  };
  await load('0 8 linear A 0', { readOnly: true, disks });
  await load('0 8 linear A 0', { disks });
  expect(modes).toEqual([true, false]);
});

describe('devices', () => {
  test('are opened once a table, however many rows name them', async () => {
    const disks = new TestDisks();
    const table = await load('0 8 linear B 0\n8 8 linear A 0\n16 8 linear B 8', { disks });
    expect(disks.openCount).toBe(2);
    expect(table.devices.map(({ operand }) => operand)).toEqual(['B', 'A']);
    expect([...table.operands.keys()]).toEqual(['B', 'A']);
    await table.close();
    expect(disks.openCount).toBe(0);
  });

  test('URIs are prepared before they are opened, other words are not', async () => {
    const disks = new TestDisks({ 'nbd://host/x': {} });
    await load('0 8 linear nbd://host/x 0\n8 8 linear A 0', { disks });
    expect(disks.prepared).toEqual(['nbd://host/x']);
  });

  test('and targets are closed after a failure, whatever else fails', async () => {
    const probe = new Probe({
      name: 'sick',
      overrides: { close: () => Promise.reject(new Error('sick')) },
    });
    const well = new Probe({ name: 'well' });
    const types = [probe.type, well.type];
    const disks = new TestDisks();
    const rows = '0 8 sick A 0\n8 8 well B 0\n';
    await expect(load(`${rows}16 8 nosuch`, { disks, types })).rejects.toThrow(/sick|nosuch/);
    expect(well.calls).toEqual(['close B']);
    expect(disks.openCount).toBe(0);
    const table = await load(rows, { disks, types });
    await expect(table.close()).rejects.toThrow('sick');
    expect(well.calls).toEqual(['close B', 'close B']);
    expect(disks.openCount).toBe(0);
  });
});

describe('find', () => {
  test.each([1, 2, 3, 10, 1000])('gives the row of each sector, of %i rows', async (rowCount) => {
    const lengths = Array.from({ length: rowCount }, (_, row) => 1 + ((row * 7) % 5));
    let start = 0;
    const lines = lengths.map((length) => {
      const line = `${start} ${length} zero`;
      start += length;
      return line;
    });
    const table = await load(lines.join('\n'));
    const owners = table.rows.flatMap((row) => new Array(row.length).fill(row) as unknown[]);
    const order = owners.map((_, sector) => (sector * 13) % owners.length);
    for (const sector of [...owners.keys(), ...order]) {
      if (table.find(sector) !== owners[sector]) throw new Error(`Wrong row for sector ${sector}`);
    }
  });

  test('of a huge row among small ones', async () => {
    const huge = 2 ** 43;
    const table = await load(`0 1 zero\n1 ${huge} error\n${huge + 1} 1 zero`);
    expect(table.find(0).start).toBe(0);
    expect([1, 2, 2 ** 40, huge].map((sector) => table.find(sector).start)).toEqual([1, 1, 1, 1]);
    expect(table.find(huge + 1).type).toBe('zero');
  });
});

describe('limits', () => {
  test('are those of all devices of all rows', async () => {
    const disks = new TestDisks({
      A: { limits: { physicalBlockBytes: 4096, ioMinBytes: 4096, ioOptBytes: 6144 } },
      B: { limits: { ioOptBytes: 4096, maxIoSectors: 64 } },
    });
    const { limits } = await load('0 8 linear A 0\n8 8 linear B 0', { disks });
    expect(limits).toEqual({
      logicalBlockBytes: 512,
      physicalBlockBytes: 4096,
      ioMinBytes: 4096,
      ioOptBytes: 12_288,
      maxIoSectors: 64,
      discardGranularityBytes: 512,
    });
  });

  test.each([
    ['0 8 linear A 0\n8 8 zero', 512],
    ['0 8 linear N 0', 0],
    ['0 8 linear A 0\n8 8 linear N 0', 0],
    ['0 8 error N 0\n8 8 linear A 0', 512],
    ['0 8 striped 2 4 A 0 N 0', 0],
  ])('discard granularity of %j is %i', async (text, granularity) => {
    expect((await load(text)).limits.discardGranularityBytes).toBe(granularity);
  });

  test.each([
    // A shared block is fine where the devices of its rows have small ones.
    '0 4 linear A 0\n4 4 linear A 8\n8 8 linear K 0',
    '0 3 zero\n3 5 error\n8 8 linear K 0',
    '0 8 linear K 0\n8 3 zero\n11 5 zero',
    '0 8 linear K 8',
  ])('blocks of 4096 bytes fit %j', async (text) => {
    expect((await load(text)).limits.logicalBlockBytes).toBe(4096);
  });

  test.each([
    ['0 8 linear K 4', /start=4 not aligned to h\/w logical block size 4096 of K/],
    ['0 12 linear K 0', /len=12 not aligned to h\/w logical block size 4096 of K/],
    ['0 4 zero\n4 8 linear K 0\n12 4 zero', /start sect 4 len 8\) not aligned/],
    ['0 8 linear K 0\n8 3 zero', /start sect 8 len 3\) not aligned/],
    ['0 3 zero\n3 8 zero\n11 8 linear K 0', /start sect 11 len 8\) not aligned/],
  ])('but not %j', async (text, error) => {
    await expect(load(text)).rejects.toThrow(error);
  });
});

test('what a target cannot read refuses the table, and everything is closed', async () => {
  const probe = new Probe({
    overrides: {
      load: () => Promise.reject(new DmError('EIO', 'Failed to read metadata')),
      close: () => void probe.calls.push('close'),
    },
  });
  const disks = new TestDisks(DISKS);
  const loading = load('0 8 linear A 0\n8 8 probe B 0', { disks, types: [probe.type] });
  await expect(loading).rejects.toMatchObject({
    code: 'EIO',
    message: 'probe: Failed to read metadata (table row at sector 8)',
  });
  expect([probe.calls, disks.openCount]).toEqual([['close'], 0]);
});
