import { describe, expect, test } from 'vitest';
import { openReport, runReport, samples } from './fixture.ts';
import type { ReportOptions } from './report.ts';

const two = samples.slice(0, 2);
const lines = (...text: string[]) => `${text.join('\n')}\n`;

describe('layouts', () => {
  const cases: readonly [options: ReportOptions, out: string][] = [
    [{}, lines('Name     Open', 'base        3', 'both        0')],
    [{ fields: 'open,name' }, lines('Open Name    ', '   3 base    ', '   0 both    ')],
    [{ fields: '' }, lines('', '', '')],
    [{ noheadings: true }, lines('base:3', 'both:0')],
    [{ headings: 'none' }, lines('base:3', 'both:0')],
    [{ separator: ', ' }, lines('Name, Open', 'base, 3', 'both, 0')],
    [{ separator: '' }, lines('NameOpen', 'base3', 'both0')],
    [{ noheadings: true, separator: ' ' }, lines('base 3', 'both 0')],
    [
      { nameprefixes: true, fields: 'name,minor_number' },
      lines('Name Min', "DM_NAME='base' DM_MINOR_NUMBER='0'", "DM_NAME='both' DM_MINOR_NUMBER='8'"),
    ],
    [
      { nameprefixes: true, unquoted: true, noheadings: true },
      lines('DM_NAME=base:DM_OPEN=3', 'DM_NAME=both:DM_OPEN=0'),
    ],
    [{ unquoted: true, fields: 'open' }, lines('Open', '   3', '   0')],
    [{ rows: true }, lines('Name base both', 'Open 3 0')],
    [{ rows: true, noheadings: true }, lines('base:both', '3:0')],
    [
      { rows: true, nameprefixes: true },
      lines("Name DM_NAME='base' DM_NAME='both'", "Open DM_OPEN='3' DM_OPEN='0'"),
    ],
    [
      { headings: 'full', fields: 'minor_number,name' },
      lines('minor_number name    ', '           0 base    ', '           8 both    '),
    ],
    [{ fields: 'selected', selection: 'name=base' }, lines('Selected', '       1', '       0')],
    [
      { fields: 'tags,size,used' },
      lines('Tags   Size   Used%', 'a,b,cc  1024k 10.00', '          50k  0.00'),
    ],
  ];
  test.each(cases)('%j', (options, out) => {
    expect(runReport(options, two)).toEqual({ out, error: '', failed: false });
  });

  test('values widen their columns, those of rows left out do not', () => {
    const rows = [{ ...samples[0]!, name: 'longer than most' }, samples[1]!];
    expect(runReport({}, rows).out).toBe(
      lines('Name             Open', 'longer than most    3', 'both                0'),
    );
    expect(runReport({ selection: 'open=0' }, rows).out).toBe(
      lines('Name     Open', 'both        0'),
    );
  });

  test('widths count bytes', () => {
    const rows = [{ ...samples[0]!, name: 'äöü' }];
    expect(runReport({}, rows).out).toBe(lines('Name     Open', 'äöü      3'));
  });

  test('no row, no heading', () => {
    expect(runReport({ selection: 'name=nosuch' }).out).toBe('');
    expect(runReport({ rows: true }, []).out).toBe('');
  });
});

describe('which columns', () => {
  const cases: readonly [fields: string, heading: string][] = [
    ['name', 'Name'],
    ['NAME,mInOr__number', 'Name:Min'],
    ['+uuid', 'Name:Open:UUID'],
    ['name,name', 'Name:Name'],
    [',name,,uuid', 'Name:UUID'],
    ['name_all,open', 'Name:UUID:Open'],
    ['nameall', 'Name:UUID'],
    ['all', 'Name:UUID:Open:Min:Node:Tags:Size:Used%'],
  ];
  test.each(cases)('%s', (fields, heading) => {
    const { out } = runReport({ fields, separator: ':' });
    expect(out.split('\n')[0]).toBe(heading);
  });

  test.each([
    ['foo', 'foo'],
    ['name uuid', 'name uuid'],
    ['name,', ''],
    ['+', ''],
    [',', ''],
    ['name_name', 'name_name'],
  ])('not %s', (fields, word) => {
    const { error } = runReport({ fields });
    expect(error).toMatch(/^Mapped Device Name Fields\n-{25}\n {2}name_all {5}- All/);
    expect(error.endsWith(` \nUnrecognised field: ${word}\n`)).toBe(true);
  });
});

describe('order', () => {
  const cases: readonly [sort: string, names: string][] = [
    ['', 'base both held mid we ird'],
    ['minor_number', 'base mid we ird both held'],
    ['-minornumber', 'held both we ird mid base'],
    ['+minor_number', 'base mid we ird both held'],
    ['-open,name', 'base held mid both we ird'],
    ['-open,-name', 'base mid held we ird both'],
    ['uuid', 'both mid base held we ird'],
    ['size', 'we ird both base mid held'],
    ['selected', 'base both held mid we ird'],
  ];
  test.each(cases)('%s', (sort, names) => {
    const { out } = runReport({ sort, fields: 'name', noheadings: true });
    expect(out.trimEnd().replaceAll('\n', ' ')).toBe(names);
  });

  test('duplicates are named, unknown ones refused', () => {
    const { out, error } = runReport({ sort: 'name,-name', fields: 'name' });
    expect(error).toBe('dm_report: Ignoring duplicate sort field: -name.\n');
    expect(out).toContain('base');
    expect(runReport({ sort: '-foo' }).error).toMatch(/ \ndm_report: Unrecognised field: -foo\n$/);
  });

  test('large numbers are exact', () => {
    const rows = [2n ** 63n + 1n, 2n ** 63n, 5].map((open) => ({ ...samples[0]!, open }));
    const { out } = runReport({ sort: 'open', fields: 'open', noheadings: true }, rows);
    expect(out).toBe(lines('5', '9223372036854775808', '9223372036854775809'));
    const { out: selected } = runReport(
      { fields: 'open', selection: 'open>9223372036854775808' },
      rows,
    );
    expect(selected).toBe(lines('Open               ', '9223372036854775809'));
  });
});

describe('help', () => {
  test.each(['help', '?', 'name,help', 'HELP'])('-o %s', (fields) => {
    const { out, error, failed } = runReport({ fields });
    expect({ out, failed }).toEqual({ out: '', failed: false });
    expect(error).toContain('\n  minor_number - Block device minor number.\n');
    expect(error).toMatch(
      / \nSpecial Fields\n-{14}\n {2}selected {5}- Set .*\n.*\n {2}\? .*\n \n$/,
    );
  });

  test('-S help tells types and operators', () => {
    const { out, error } = runReport({ selection: 'help' });
    expect(out).toBe('');
    expect(error).toContain('  tags         - Tags, if any. [string list]\n');
    expect(error).not.toContain('name_all');
    expect(error).toMatch(/ \nSelection operands\n-{18}\n {2}field /);
    expect(error).toMatch(/\n {7}\} {2}- List subset end\n \n$/);
  });
});

describe('rows that cannot be told', () => {
  const rows = [samples[0]!, { ...samples[1]!, node: null }, samples[2]!];

  test('are left out, and the report has failed', () => {
    expect(runReport({ fields: 'node' }, rows)).toEqual({
      out: lines('Node ', 'dm-0 ', 'dm-11'),
      error: lines(
        'Could not resolve 252:8.',
        '_do_report_object: report function failed for field node',
      ),
      failed: true,
    });
  });

  test('do not matter to a report without the field', () => {
    expect(runReport({}, rows).failed).toBe(false);
  });

  test('no data at all', () => {
    expect(runReport({ fields: 'node' }, [{ ...samples[0]!, node: '' }])).toEqual({
      out: '',
      error: '_do_report_object: no data assigned to field node\n',
      failed: true,
    });
  });
});

test('a report knows which groups it needs', () => {
  const needs = (options: ReportOptions) => {
    const { report, NAME, INFO } = openReport(options);
    return [report.uses(NAME), report.uses(INFO)];
  };
  expect(needs({ fields: 'name' })).toEqual([true, false]);
  expect(needs({ fields: 'name', sort: 'open' })).toEqual([true, true]);
  expect(needs({ fields: 'uuid', selection: '!(name=a || open=1)' })).toEqual([true, true]);
});

test('after its end a report takes more rows', () => {
  const { report, run } = openReport({ fields: 'name' });
  report.add(samples[0]!);
  report.end();
  report.add(samples[1]!);
  report.end();
  report.end();
  expect(run.out).toBe(lines('Name    ', 'base    ', 'Name    ', 'both    '));
});

test('objects for JSON keep numbers and lists', () => {
  const { report } = openReport({ fields: 'name,open,tags,size,used,selected', sort: '-name' });
  report.add({ ...samples[0]!, open: 2n ** 60n });
  report.add(samples[1]!);
  expect(report.objects()).toEqual([
    { name: 'both', open: 0, tags: [], size: '50k', used: '0.00', selected: 1 },
    {
      name: 'base',
      open: '1152921504606846976',
      tags: ['a', 'b', 'cc'],
      size: '1024k',
      used: '10.00',
      selected: 1,
    },
  ]);
});
