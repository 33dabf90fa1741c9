import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { locateRow, parseNumberedRows, readTableArgument } from './table-source.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-table-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('readTableArgument', () => {
  test('takes rows as they are', () => {
    const text = '0 8 zero\n8 8 error';
    expect(readTableArgument(text)).toEqual({ text, source: '--table' });
  });

  test('takes a typed \\n for the end of a row, but not inside a path', () => {
    const { text } = readTableArgument('0 8 linear C\\new 0\\n8 8 zero\\n');
    expect(text).toBe('0 8 linear C\\new 0\n8 8 zero\n');
  });

  test('reads a file', () => {
    const path = join(folder, 'disk.table');
    writeFileSync(path, '0 8 zero\n');
    expect(readTableArgument(path)).toEqual({ text: '0 8 zero\n', source: path });
  });

  test('refuses what is neither', () => {
    expect(() => readTableArgument('linear a.img')).toThrow(
      'Cannot read table "linear a.img": it is neither a row nor a file that exists',
    );
    expect(() => readTableArgument(folder)).toThrow(/Cannot read table from .*EISDIR/);
  });
});

describe('parseNumberedRows', () => {
  test('counts the lines that say nothing', () => {
    const rows = parseNumberedRows({
      text: '# head\n\n0 8 zero\n  # more\n8 8 error\n',
      source: 't',
    });
    expect(rows.map(({ lineNumber }) => lineNumber)).toEqual([3, 5]);
    expect(locateRow(rows[1]!, 't')).toBe('t, line 5: 8 8 error');
  });

  test('refuses what is no row, naming line and source', () => {
    expect(() => parseNumberedRows({ text: '0 8 zero\nx 8 zero', source: 't' })).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('line 2') as string,
        details: expect.arrayContaining(['The table was read from t']) as string[],
      }),
    );
  });

  test('refuses an empty table', () => {
    expect(() => parseNumberedRows({ text: '# nothing\n', source: 't' })).toThrow(
      'Cannot read table from t: it has no rows',
    );
  });
});
