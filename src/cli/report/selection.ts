/**
 * `-S`: which rows a report has. This file decides; selection-parser.ts reads.
 *
 * `!( ... )` marks what is in the parentheses as negated; when that is a single comparison or group which is marked
 * already, as in `!(!(name=x))`, it stays marked: libdevmapper keeps one flag, and so do we.
 */

import type { Field, FieldKey } from './field.ts';

export type Comparison<Row> =
  | { kind: 'text'; field: Field<Row>; wanted: string; negated: boolean }
  | { kind: 'pattern'; field: Field<Row>; matches: (text: string) => boolean; negated: boolean }
  | {
      kind: 'number';
      field: Field<Row>;
      operator: NumberOperator;
      wanted: number | bigint;
      negated: boolean;
    }
  | {
      kind: 'list';
      field: Field<Row>;
      wanted: readonly string[];
      mode: ListMode;
      negated: boolean;
    };

export type NumberOperator = '=' | '!=' | '>=' | '>' | '<=' | '<';
/** `[a,b]`: these and no others; `{a,b}`: these among others; `[a#b]`, `{a#b}`: one of these. */
export type ListMode = 'exactly' | 'all' | 'any';

export interface Combination<Row> {
  kind: 'and' | 'or';
  parts: readonly Condition<Row>[];
  negated: boolean;
}

export type Condition<Row> = Comparison<Row> | Combination<Row>;

/** Every field that the condition asks for. */
export function fieldsOf<Row>(condition: Condition<Row>): Field<Row>[] {
  return 'parts' in condition ? condition.parts.flatMap(fieldsOf) : [condition.field];
}

/** Whether a row is selected, given its keys. */
export function matches<Row>(
  condition: Condition<Row>,
  keyOf: (field: Field<Row>) => FieldKey,
): boolean {
  return isTrue(condition, keyOf) !== condition.negated;
}

function isTrue<Row>(condition: Condition<Row>, keyOf: (field: Field<Row>) => FieldKey): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.parts.every((part) => matches(part, keyOf));
    case 'or':
      return condition.parts.some((part) => matches(part, keyOf));
    case 'text':
      return String(keyOf(condition.field)) === condition.wanted;
    case 'pattern':
      return condition.matches(String(keyOf(condition.field)));
    case 'number':
      return compareNumbers(keyOf(condition.field), condition.operator, condition.wanted);
    case 'list':
      return compareList(itemsOf(keyOf(condition.field)), condition.mode, condition.wanted);
  }
}

function compareNumbers(key: FieldKey, operator: NumberOperator, wanted: number | bigint): boolean {
  if (typeof key !== 'number' && typeof key !== 'bigint') return false;
  switch (operator) {
    case '=':
      return !(key < wanted) && !(key > wanted);
    case '!=':
      return key < wanted || key > wanted;
    case '>=':
      return key >= wanted;
    case '>':
      return key > wanted;
    case '<=':
      return key <= wanted;
    case '<':
      return key < wanted;
  }
}

/** No items are one empty item: `tags=""` finds what has none. */
function itemsOf(key: FieldKey): readonly string[] {
  const items = typeof key === 'object' ? key : [String(key)];
  return items.length === 0 ? [''] : items;
}

function compareList(items: readonly string[], mode: ListMode, wanted: readonly string[]): boolean {
  const has = (item: string) => items.includes(item);
  if (mode === 'any') return wanted.some(has);
  return wanted.every(has) && (mode === 'all' || items.length === wanted.length);
}
