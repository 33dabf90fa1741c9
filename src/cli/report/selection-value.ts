/** The right side of a comparison in `-S`: text, patterns, numbers, sizes, percentages, lists. */

import { SECTOR_BYTES } from '../../base/units.ts';
import { type Field, FieldFailure } from './field.ts';
import { compilePattern, PatternError } from './pattern.ts';
import { ReportError } from './report-error.ts';
import type { Comparison, ListMode, NumberOperator } from './selection.ts';
import { type SelectionText, ValueError } from './selection-text.ts';

export type Operator = NumberOperator | '=~' | '!~' | 'since' | 'after' | 'until' | 'before';

const MAX_U64 = 2n ** 64n - 1n;
const UNIT_POWERS = 'bkmgtpe';

/** Reads the value. Throws `FieldFailure` where libdevmapper adds the place, `ReportError` where it does not. */
export function readValue<Row>(
  text: SelectionText,
  field: Field<Row>,
  operator: Operator,
): Comparison<Row> {
  text.skipSpace();
  if (operator === '=~' || operator === '!~') {
    const matches = readPattern(text, field);
    return { kind: 'pattern', field, matches, negated: operator === '!~' };
  }
  if (field.type === 'string' || field.type === 'string list') {
    const negated = operator === '!=';
    if (field.type === 'string') {
      return { kind: 'text', field, wanted: readText(text, field), negated };
    }
    return { kind: 'list', field, ...readList(text, field), negated };
  }
  const wanted = readNumber(text, field);
  return { kind: 'number', field, operator: operator as NumberOperator, wanted, negated: false };
}

function readPattern<Row>(text: SelectionText, field: Field<Row>): (text: string) => boolean {
  if (text.rest === '') {
    throw new FieldFailure(`Regular expression expected for selection field ${field.id}`);
  }
  const pattern = readText(text, field);
  if (field.type !== 'string') {
    const problem = 'incompatible comparison type for selection field';
    throw new ReportError(`dm_report: ${problem} ${field.id}\n`);
  }
  try {
    return compilePattern(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const problem = `failed to create regex matcher for selection field ${field.id}`;
    throw new ReportError(
      `${error.message}\nParse error in regex\nCouldn't parse regex\ndm_report: ${problem}\n`,
    );
  }
}

/** A complaint about a value, and then whose. */
function takeText<Row>(text: SelectionText, ends: string, what: string, field: Field<Row>): string {
  try {
    return text.takeString(ends);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw valueFailure(error.message, what, field);
  }
}

function valueFailure(problem: string, what: string, { id }: { id: string }): FieldFailure {
  return new FieldFailure(`${problem}\nFailed to parse ${what} value for selection field ${id}.`);
}

function readText<Row>(text: SelectionText, field: Field<Row>): string {
  return takeText(text, ')', 'string', field);
}

function readList<Row>(
  text: SelectionText,
  field: Field<Row>,
): { wanted: string[]; mode: ListMode } {
  const open = text.take(/^[[{]/);
  if (open === '') {
    return { wanted: [takeText(text, ')', 'string list', field)], mode: 'all' };
  }
  const close = open === '[' ? ']' : '}';
  const refuse = (problem: string) => valueFailure(problem, 'string list', field);
  const wanted: string[] = [];
  let isAny: boolean | undefined;
  for (;;) {
    wanted.push(takeText(text, ']}', 'string list', field));
    text.skipSpace();
    const end = text.take(/^[\]}]/);
    if (end === close) break;
    if (end !== '') throw refuse(`List ended with incorrect character, expecting '${close}'.`);
    const operator = text.take(/^(?:&&|\|\||,|#)/);
    if (operator === '') throw refuse('Invalid operator in selection list.');
    const saysAny = operator === '||' || operator === '#';
    if (isAny !== undefined && isAny !== saysAny) {
      throw refuse('Only one type of logical operator allowed in selection list at a time.');
    }
    isAny = saysAny;
  }
  return { wanted, mode: isAny ? 'any' : open === '[' ? 'exactly' : 'all' };
}

/** Sizes in sectors; a number's fraction does not count, as it does not in libdevmapper. */
function readNumber<Row>(text: SelectionText, field: Field<Row>): number | bigint {
  const { id, type } = field;
  const digits = text.take(/^(?=[\d.])\d*\.?\d*/);
  if (digits === '') {
    throw new FieldFailure(`Failed to parse numeric value for selection field ${id}.`);
  }
  const expected = type === 'number' ? 'numeric value' : `${type} value`;
  const unit = text.take(/^(?:%|[bskmgtpe])/i);
  if (unit === '%' && type !== 'percent') {
    const problem = `Found percent value but ${expected} expected`;
    throw new FieldFailure(`${problem} for selection field ${id}.`);
  }
  if (unit !== '' && unit !== '%' && type !== 'size') {
    const problem = `Found size unit specifier but ${expected} expected`;
    throw new FieldFailure(`${problem} for selection field ${id}.`);
  }
  if (type === 'size') return decimal(digits) * sectorsPerUnit(unit === '' ? 'm' : unit);
  if (type === 'percent') return decimal(digits);
  const number = BigInt(/^\d*/.exec(digits)![0] || '0');
  if (number > MAX_U64) {
    const problem = `value ${digits} out of supported range for field ${id}`;
    throw new ReportError(`Field selection ${problem}.\n`);
  }
  return number;
}

/** A point alone is zero. */
function decimal(digits: string): number {
  return Number(`0${digits}`);
}

/** Small letters count in powers of 1024, capitals in powers of 1000; `s` and `S` are sectors. */
function sectorsPerUnit(unit: string): number {
  if (unit.toLowerCase() === 's') return 1;
  const power = UNIT_POWERS.indexOf(unit.toLowerCase());
  return (unit === unit.toLowerCase() ? 1024 : 1000) ** power / SECTOR_BYTES;
}
