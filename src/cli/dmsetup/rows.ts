/** The rows of a table that a command is given: from --table, a file, or standard input; refused with dmsetup's words. */

import { existsSync, readFileSync } from 'node:fs';
import { DmError } from '../../base/errors.ts';
import type { RowSpec } from '../../core/table.ts';
import { parseTable } from '../../core/table-text.ts';
import { commandFailed, reasonLine } from './failure.ts';
import type { DmsetupOptions } from './options.ts';

const LOOKS_LIKE_A_ROW = /^\s*[+-]?\d+\s*[+-]?\d+/;
/** A `\n` typed as two characters, where a row follows: nobody's path looks like that. */
const TYPED_NEWLINE = /\\n(?=\s*(?:\d+\s+\d+\s+\S|#|$))/g;

/** `file` is the operand behind the device's name. --table counts first, then the file, then standard input. */
export function readRows(options: DmsetupOptions, file: string | undefined): RowSpec[] {
  const { table } = options;
  if (table !== undefined && !LOOKS_LIKE_A_ROW.test(table) && existsSync(table)) {
    return parseRows(readFile(table), table);
  }
  if (table !== undefined) return parseRows(table.replaceAll(TYPED_NEWLINE, '\n'), '');
  if (file !== undefined) return parseRows(readFile(file), file);
  return parseRows(readFileSync(0, 'utf8'), 'on stdin');
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw commandFailed([`Couldn't open '${path}' for reading.`, reasonLine(reason)], error);
  }
}

/** `source` as dmsetup names it: a path, `on stdin`, or nothing. */
export function parseRows(text: string, source: string): RowSpec[] {
  return text.split('\n').flatMap((line, index) => parseRow(line, index + 1, source));
}

function parseRow(line: string, lineNumber: number, source: string): RowSpec[] {
  try {
    return parseTable(line);
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    const type = /^Target type name "(.*)" on line/.exec(error.message)?.[1];
    const said =
      type === undefined
        ? `Invalid format on line ${lineNumber} of table ${source}.`
        : `Target type name ${type} is too long.`;
    const reason = error.message.replace(' on line 1 of table', '');
    throw commandFailed([said, reasonLine(reason)], error);
  }
}
