import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseRows, readRows } from './rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-rows-'));
const file = join(folder, 'table');
writeFileSync(file, '# a comment\n0 8 zero\n\n8 8 error\n');
afterAll(() => rmSync(folder, { recursive: true }));

const rows = [
  { start: 0, length: 8, type: 'zero', params: '' },
  { start: 8, length: 8, type: 'error', params: '' },
];

describe('readRows', () => {
  it('takes --table, lines or a typed \\n between them, before a file', () => {
    expect(readRows({ table: '0 8 zero\n8 8 error' }, '/nosuch')).toEqual(rows);
    expect(readRows({ table: '0 8 zero\\n8 8 error' }, undefined)).toEqual(rows);
    expect(readRows({ table: '' }, undefined)).toEqual([]);
  });

  it('takes a file, as operand or as --table', () => {
    expect(readRows({}, file)).toEqual(rows);
    expect(readRows({ table: file }, undefined)).toEqual(rows);
    expect(() => readRows({}, '/nosuch')).toThrow("Couldn't open '/nosuch' for reading.");
  });
});

// Words of dmsetup 1.02.185.
describe('parseRows', () => {
  it.each([
    ['0 8 zero\nfoo', 'on stdin', 'Invalid format on line 2 of table on stdin.'],
    ['0 8', '/tmp/t', 'Invalid format on line 1 of table /tmp/t.'],
    ['foo', '', 'Invalid format on line 1 of table .'],
    ['0 8 zerozerozerozerozero', '', 'Target type name zerozerozerozerozero is too long.'],
  ])('refuses %j', (text, source, line) => {
    expect(() => parseRows(text, source)).toThrow(line);
  });
});
