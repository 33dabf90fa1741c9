/** What a report can show: fields, each with a value for a row, in groups. */

export type FieldType = 'string' | 'number' | 'size' | 'percent' | 'string list';

/** A number or bigint compares as a number, sizes in sectors, percentages as 0 to 100; a list compares item by item. */
export type FieldKey = string | number | bigint | readonly string[];

/**
 * Plain: the text is the key (of a list: joined by commas). With `text`: printed so, while `key` sorts and selects.
 * undefined: the row has nothing to say about this field, which ends the report with an error.
 */
export type FieldValue = FieldKey | { text: string; key: FieldKey } | undefined;

/** Fields that are fetched together and that `-o PREFIX_all` names together. */
export interface FieldGroup {
  /** `info` of `info_all`. Two groups may share a prefix; then `-o PREFIX_all` means the first. */
  prefix: string;
  /** As in `Mapped Device Name`; help adds `Fields`. Neighbours with the same title share one section of the help. */
  title: string;
}

export interface Field<Row> {
  group: FieldGroup;
  /** `-o ID`; upper and lower case and underscores make no difference. */
  id: string;
  heading: string;
  /** At least; the heading and, in a buffered report, all values widen it. */
  widthBytes: number;
  /** Default: numbers, sizes and percentages to the right, the rest to the left. */
  align?: 'left' | 'right';
  type: FieldType;
  description: string;
  /** May throw `FieldFailure`. */
  value(row: Row): FieldValue;
}

/** A field as a line of a list; what its `value` is called with is the list's matter. */
export type FieldLine<Value> = readonly [
  id: string,
  heading: string,
  widthBytes: number,
  type: FieldType,
  value: Value,
  description: string,
];

export function fieldOfLine<Row, Value>(
  group: FieldGroup,
  [id, heading, widthBytes, type, value, description]: FieldLine<Value>,
  call: (value: Value, row: Row) => FieldValue,
): Field<Row> {
  return { group, id, heading, widthBytes, type, description, value: (row) => call(value, row) };
}

/** A field cannot be told for a row: the row is left out, the report goes on, the command fails. */
export class FieldFailure extends Error {
  override readonly name = 'FieldFailure';
}

/** A field's value for one row, ready to print, sort and select. */
export interface Cell {
  text: string;
  key: FieldKey;
}

export function cellOf(value: Exclude<FieldValue, undefined>): Cell {
  if (typeof value === 'object' && 'text' in value) return value;
  return { text: typeof value === 'object' ? value.join(',') : String(value), key: value };
}

export function alignmentOf({ align, type }: Pick<Field<unknown>, 'align' | 'type'>) {
  return align ?? (type === 'string' || type === 'string list' ? 'left' : 'right');
}

/** Negative, zero, positive, as Array.sort wants it. Numbers by size, text by code units (strcmp for what names can be). */
export function compareKeys(one: FieldKey, other: FieldKey): number {
  const left = typeof one === 'object' ? one.join(',') : one;
  const right = typeof other === 'object' ? other.join(',') : other;
  return left < right ? -1 : left > right ? 1 : 0;
}
