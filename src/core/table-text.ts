/** The text of a table: `<start> <length> <type> [<arguments>]`, a row a line, as dmsetup reads it. */

import { DmError } from '../base/errors.ts';
import type { RowSpec } from './table.ts';

const LINE = /^\s*(\d+)\s+(\d+)\s+(\S+)\s*(.*?)\s*$/;
/** DM_MAX_TYPE_NAME counts the final NUL. */
const TYPE_BYTES = 16;

/** Blank lines and lines that begin with `#` say nothing. */
export function parseTable(text: string): RowSpec[] {
  const rows: RowSpec[] = [];
  text.split('\n').forEach((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return;
    rows.push(parseLine(trimmed, index + 1));
  });
  return rows;
}

function parseLine(line: string, lineNumber: number): RowSpec {
  const match = LINE.exec(line);
  if (!match) {
    throw new DmError(
      'EINVAL',
      `Invalid format on line ${lineNumber} of table: expected "<start> <length> <type> [<arguments>]", got "${line}"`,
    );
  }
  const [, start, length, type, params] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  if (type.length >= TYPE_BYTES) {
    throw new DmError(
      'EINVAL',
      `Target type name "${type}" on line ${lineNumber} of table is longer than ${TYPE_BYTES - 1}`,
    );
  }
  return { start: Number(start), length: Number(length), type, params };
}

/** The inverse of `parseTable`, for rows that were given as objects. */
export function formatRowSpec({ start, length, type, params }: RowSpec): string {
  return `${start} ${length} ${type} ${params}`.trimEnd();
}
