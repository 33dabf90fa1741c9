/**
 * Reads `-S`, in libdevmapper's grammar:
 *
 *     any  := all (('||' | '#') all)*
 *     all  := part (('&&' | ',') part)*
 *     part := '!' '(' any ')' | '(' any ')' | field operator value
 *
 * and complains in its words. Operators and values: `-S help`.
 */

import { type Field, FieldFailure } from './field.ts';
import { findField, isHelp } from './field-list.ts';
import { SELECTION_HELP } from './help.ts';
import { ReportError } from './report-error.ts';
import type { Combination, Condition } from './selection.ts';
import { SelectionText } from './selection-text.ts';
import { type Operator, readValue } from './selection-value.ts';

const MAX_DEPTH = 500;
const OPERATORS = /^(?:=~|!~|=|!=|>=|>|<=|<|since|after|until|before)/;
const OR_OPERATOR = /^(?:\|\||#)/;
const AND_OPERATOR = /^(?:&&|,)/;
const SEE_HELP = "Use 'help' for selection to get more help.\n";

interface Context<Row> {
  text: SelectionText;
  fields: readonly Field<Row>[];
  /** All fields with their types. */
  fieldHelp(): string;
  depth: number;
}

/** The condition. Throws `ReportError`. */
export function parseSelection<Row>(
  selection: string,
  fields: readonly Field<Row>[],
  fieldHelp: () => string,
): Condition<Row> {
  const text = new SelectionText(selection);
  const condition = readAny({ text, fields, fieldHelp, depth: 0 });
  text.skipSpace();
  if (text.rest !== '') throw syntaxError('Expecting logical operator\n', text.rest);
  return condition;
}

function syntaxError(complaint: string, place: string): ReportError {
  return new ReportError(`${complaint}Selection syntax error at '${place}'.\n${SEE_HELP}`);
}

function combine<Row>(kind: Combination<Row>['kind'], parts: Condition<Row>[]): Condition<Row> {
  return parts.length === 1 ? parts[0]! : { kind, parts, negated: false };
}

function readAny<Row>(context: Context<Row>): Condition<Row> {
  const parts = [readAll(context)];
  while (context.text.takeOperator(OR_OPERATOR)) parts.push(readAll(context));
  return combine('or', parts);
}

function readAll<Row>(context: Context<Row>): Condition<Row> {
  const parts = [readPart(context)];
  while (context.text.takeOperator(AND_OPERATOR)) parts.push(readPart(context));
  return combine('and', parts);
}

function readPart<Row>(context: Context<Row>): Condition<Row> {
  const { text } = context;
  text.skipSpace();
  if (text.rest.startsWith('!')) return { ...readNegated(context), negated: true };
  return text.rest.startsWith('(') ? readGroup(context) : readComparison(context);
}

function readNegated<Row>(context: Context<Row>): Condition<Row> {
  const { text } = context;
  text.take(/^!/);
  const { rest } = text;
  text.skipSpace();
  if (!text.rest.startsWith('(')) {
    throw new ReportError(`Syntax error: left parenthesis expected at '${rest}'\n`);
  }
  return readGroup(context);
}

function readGroup<Row>(context: Context<Row>): Condition<Row> {
  const { text, depth } = context;
  if (depth === MAX_DEPTH) throw new ReportError(`More than ${MAX_DEPTH} nested parentheses\n`);
  text.take(/^\(/);
  const condition = readAny({ ...context, depth: depth + 1 });
  text.skipSpace();
  if (text.take(/^\)/) === '') {
    throw new ReportError(`Syntax error: right parenthesis expected at '${text.rest}'\n`);
  }
  return condition;
}

function readComparison<Row>(context: Context<Row>): Condition<Row> {
  const { text } = context;
  const place = text.rest;
  const word = text.take(/^[\w-]+/);
  if (word === '') throw syntaxError('Expecting field name\n', place);
  const field = fieldOf(word, place, context);
  text.skipSpace();
  const operator = text.take(OPERATORS) as Operator;
  if ((operator as string) === '') {
    throw syntaxError(`${SELECTION_HELP}Unrecognised comparison operator: ${text.rest}\n`, place);
  }
  refuseOperator(field, operator, place);
  try {
    return readValue(text, field, operator);
  } catch (error) {
    if (error instanceof FieldFailure) throw syntaxError(`${error.message}\n`, place);
    throw error;
  }
}

function fieldOf<Row>(word: string, place: string, { fields, fieldHelp }: Context<Row>) {
  if (isHelp(word)) {
    throw syntaxError(`${fieldHelp()}Selection field is uncomparable: ${word}.\n`, place);
  }
  const field = findField(fields, word);
  if (field === undefined) {
    throw syntaxError(`${fieldHelp()}Unrecognised selection field: ${word}\n`, place);
  }
  return field;
}

function refuseOperator({ type }: Field<never>, operator: Operator, place: string): void {
  if (['since', 'after', 'until', 'before'].includes(operator)) {
    const complaint = `Operator can be used only with time fields: ${place}\n`;
    throw syntaxError(`${SELECTION_HELP}${complaint}`, place);
  }
  const isText = type === 'string' || type === 'string list';
  if (isText && ['>', '>=', '<', '<='].includes(operator)) {
    const complaint = `Operator can be used only with number, size, time or percent fields: ${place}\n`;
    throw syntaxError(`${SELECTION_HELP}${complaint}`, place);
  }
}
