/** The text of a table: `<start> <length> <type> [<arguments>]`, a row a line, as dmsetup reads it. */

import { DmError } from '../base/errors.ts';
import type { RowSpec } from './table.ts';

/** Read in turn, as sscanf's "%llu %llu %s" does: white space between them may be missing, a sign may stand in front. */
const PARTS = [
  /[ \t\v\f\r]*([+-]?\d+)/y,
  /[ \t\v\f\r]*([+-]?\d+)/y,
  /[ \t\v\f\r]*([^ \t\v\f\r]+)[ \t\v\f\r]*/y,
];
const BLANK = /[ \t\v\f\r]/;
const NOTHING = /^[ \t\v\f\r]*(?:#|$)/;
/** DM_MAX_TYPE_NAME counts the final NUL. */
const TYPE_BYTES = 16;

/** Blank lines and lines that begin with `#` say nothing. */
export function parseTable(text: string): RowSpec[] {
  const rows: RowSpec[] = [];
  text.split('\n').forEach((line, index) => {
    if (!NOTHING.test(line)) rows.push(parseLine(line, index + 1));
  });
  return rows;
}

function parseLine(line: string, lineNumber: number): RowSpec {
  const words: string[] = [];
  let position = 0;
  for (const part of PARTS) {
    part.lastIndex = position;
    const word = part.exec(line)?.[1];
    if (word === undefined) throw invalidLine(line, lineNumber);
    words.push(word);
    position = part.lastIndex;
  }
  const [start, length, type] = words as [string, string, string];
  if (Buffer.byteLength(type) >= TYPE_BYTES) {
    throw new DmError(
      'EINVAL',
      `Target type name "${type}" on line ${lineNumber} of table is too long: expected at most ${TYPE_BYTES - 1} bytes`,
    );
  }
  const params = withoutComment(line.slice(position)).trimEnd();
  return { start: parseSectors(start), length: parseSectors(length), type, params };
}

/**
 * A `#` at the start of a word begins a comment. dmsetup ends the line at any `#`, but here operands are file names and
 * URIs, which hold it.
 */
function withoutComment(text: string): string {
  let beginsWord = true;
  for (let i = 0; i < text.length; i += 1) {
    if (beginsWord && text[i] === '#') return text.slice(0, i);
    beginsWord = BLANK.test(text[i]!);
    if (text[i] === '\\') i += 1;
  }
  return text;
}

/** A negative number is what 64 bits without a sign make of it, so that the table refuses it as too large. */
function parseSectors(text: string): number {
  const value = Number(text);
  return value < 0 ? value + 2 ** 64 : Math.abs(value);
}

function invalidLine(line: string, lineNumber: number): DmError {
  return new DmError(
    'EINVAL',
    `Invalid format on line ${lineNumber} of table: expected "<start> <length> <type> [<arguments>]", got "${line.trim()}"`,
  );
}

/** The inverse of `parseTable`, for rows that were given as objects. */
export function formatRowSpec({ start, length, type, params }: RowSpec): string {
  return `${start} ${length} ${type} ${params}`.trimEnd();
}
