/**
 * Turns rows of cells into text, as dm_report prints them.
 *
 * Aligned: every cell is padded to its column's width, the last one too; headings always to the left. Not aligned (a
 * separator, name prefixes or rows were asked for): no padding. Lengths are bytes, as C counts them.
 */

import type { Cell } from './field.ts';

export interface Column {
  id: string;
  heading: string;
  widthBytes: number;
  align: 'left' | 'right';
}

export interface LayoutOptions {
  headings: 'none' | 'abbrev' | 'full';
  separator: string;
  aligned: boolean;
  /** `DM_NAME='value'` */
  namePrefixes: boolean;
  quoted: boolean;
}

function pad(text: string, widthBytes: number, align: 'left' | 'right'): string {
  const padding = ' '.repeat(Math.max(0, widthBytes - Buffer.byteLength(text)));
  return align === 'left' ? text + padding : padding + text;
}

function headingOf({ id, heading }: Column, { headings }: LayoutOptions): string {
  return headings === 'full' ? id : heading;
}

/** No column is narrower than its heading, where headings are printed. */
export function initialWidth(column: Column, options: LayoutOptions): number {
  if (options.headings === 'none') return column.widthBytes;
  return Math.max(column.widthBytes, Buffer.byteLength(headingOf(column, options)));
}

/** `widthsBytes[i]` is column i's. */
export function headingLine(
  columns: readonly Column[],
  widthsBytes: readonly number[],
  options: LayoutOptions,
): string {
  const words = columns.map((column, index) => {
    const heading = headingOf(column, options);
    return options.aligned ? pad(heading, widthsBytes[index]!, 'left') : heading;
  });
  return `${words.join(options.separator)}\n`;
}

function cellText({ text }: Cell, column: Column, widthBytes: number, options: LayoutOptions) {
  const quote = options.quoted ? "'" : '';
  const value = options.namePrefixes
    ? `DM_${column.id.toUpperCase()}=${quote}${text}${quote}`
    : text;
  return options.aligned ? pad(value, widthBytes, column.align) : value;
}

export function rowLine(
  cells: readonly Cell[],
  columns: readonly Column[],
  widthsBytes: readonly number[],
  options: LayoutOptions,
): string {
  const words = cells.map((cell, index) =>
    cellText(cell, columns[index]!, widthsBytes[index]!, options),
  );
  return `${words.join(options.separator)}\n`;
}

/** `--rows`: a line for each column, its heading first. */
export function columnLines(
  rows: readonly (readonly Cell[])[],
  columns: readonly Column[],
  options: LayoutOptions,
): string {
  const lines = columns.map((column, index) => {
    const words = rows.map((cells) => cellText(cells[index]!, column, 0, options));
    if (options.headings !== 'none') words.unshift(headingOf(column, options));
    return `${words.join(options.separator)}\n`;
  });
  return lines.join('');
}
