/** Where the text of a table comes from, and how to point at a line of it. */

import { existsSync, readFileSync } from 'node:fs';
import type { RowSpec } from '../core/table.ts';
import { formatRowSpec, parseTable } from '../core/table-text.ts';
import { because, CommandError, usageError } from './failure.ts';

export interface TableText {
  text: string;
  /** For messages: a path, `standard input` or `--table`. */
  source: string;
}

const ROW = /^\s*\d+\s+\d+\s+\S/;
/** A `\n` typed as two characters, where a row follows: nobody's path looks like that. */
const TYPED_NEWLINE = /\\n(?=\s*(?:\d+\s+\d+\s+\S|#|$))/g;
/** Blank lines and comments, as `parseTable` skips them. */
const SAYS_NOTHING = /^\s*(?:#|$)/;
const ROW_FORM = '<start> <length> <type> [<arguments>], in sectors of 512 bytes';

/** `--table`'s argument: rows, the path of a file with rows, or `-` for standard input. */
export function readTableArgument(argument: string): TableText {
  if (argument === '-') return { text: readStandardInput(), source: 'standard input' };
  if (ROW.test(argument)) {
    return { text: argument.replaceAll(TYPED_NEWLINE, '\n'), source: '--table' };
  }
  if (existsSync(argument)) return { text: readText(argument, argument), source: argument };
  throw usageError(
    `Cannot read table "${argument}": it is neither a row nor a file that exists`,
    `A row: ${ROW_FORM}`,
    "For example: --table '0 2048 linear a.img 0'",
  );
}

let standardInput: string | null = null;

/** Read once. It blocks until the input ends: call it before signals are listened for, so that Ctrl-C ends the wait. */
export function readStandardInput(): string {
  standardInput ??= readText(0, 'standard input');
  return standardInput;
}

function readText(file: string | number, source: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`Cannot read table from ${source}: ${because(error)}`, { cause: error });
  }
}

/** The rows of a table's text, each with the number of its line. */
export interface NumberedRow {
  row: RowSpec;
  lineNumber: number;
}

export function parseNumberedRows({ text, source }: TableText): NumberedRow[] {
  const rows = parseRows(text, source);
  if (rows.length === 0) {
    throw new CommandError(`Cannot read table from ${source}: it has no rows`, {
      details: [`Expected rows: ${ROW_FORM}`],
    });
  }
  const lineNumbers = text
    .split('\n')
    .flatMap((line, index) => (SAYS_NOTHING.test(line) ? [] : [index + 1]));
  return rows.map((row, index) => ({ row, lineNumber: lineNumbers[index]! }));
}

function parseRows(text: string, source: string): RowSpec[] {
  try {
    return parseTable(text);
  } catch (error) {
    throw new CommandError(because(error), {
      details: [`The table was read from ${source}`, `A row: ${ROW_FORM}`],
      cause: error,
    });
  }
}

/** `tables/disk, line 3: 0 100 linear a.img 0` */
export function locateRow({ row, lineNumber }: NumberedRow, source: string): string {
  return `${source}, line ${lineNumber}: ${formatRowSpec(row)}`;
}
