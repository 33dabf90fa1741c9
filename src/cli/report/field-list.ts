/** Reads what `-o` and `-O` name: `name,uuid`, `info_all`, `all`, `-minor,name`. */

import type { Field, FieldGroup } from './field.ts';
import { ReportError } from './report-error.ts';

/** `name_all` and `NAMEALL` are one; so are `help` and `?`. */
function canonical(word: string): string {
  return word.toLowerCase().replaceAll('_', '');
}

export function isHelp(word: string): boolean {
  return canonical(word) === 'help' || word === '?';
}

export interface Catalogue<Row> {
  fields: readonly Field<Row>[];
  /** What plain `all` means here. */
  groupsOfAll: readonly FieldGroup[];
  /** Text of the help, which goes in front of a complaint. */
  help(): string;
}

/** Words between commas. A comma at the end is followed by an empty word, one at the start is not preceded by one. */
function splitWords(list: string): string[] {
  const words = list.replace(/^,+/, '').split(/,+/);
  return words.length === 1 && words[0] === '' && list === '' ? [] : words;
}

export function findField<Row>(
  fields: readonly Field<Row>[],
  word: string,
): Field<Row> | undefined {
  const wanted = canonical(word);
  return fields.find(({ id }) => canonical(id) === wanted);
}

function fieldsOfWord<Row>(word: string, catalogue: Catalogue<Row>): Field<Row>[] | undefined {
  const field = findField(catalogue.fields, word);
  if (field !== undefined) return [field];
  const wanted = canonical(word);
  const { fields, groupsOfAll } = catalogue;
  if (wanted === 'all') return fields.filter(({ group }) => groupsOfAll.includes(group));
  const group = fields.find((each) => canonical(`${each.group.prefix}_all`) === wanted)?.group;
  return group && fields.filter((each) => each.group === group);
}

/** The columns, or null when help was asked for. */
export function readFieldList<Row>(list: string, catalogue: Catalogue<Row>): Field<Row>[] | null {
  const columns: Field<Row>[] = [];
  for (const word of splitWords(list)) {
    if (isHelp(word)) return null;
    const fields = fieldsOfWord(word, catalogue);
    if (fields === undefined) {
      throw new ReportError(`${catalogue.help()}Unrecognised field: ${word}\n`);
    }
    columns.push(...fields);
  }
  return columns;
}

export interface SortKey<Row> {
  field: Field<Row>;
  descending: boolean;
}

/** The keys, first one first, or null when help was asked for. */
export function readSortKeys<Row>(
  list: string,
  catalogue: Catalogue<Row>,
  warn: (text: string) => void,
): SortKey<Row>[] | null {
  const keys: SortKey<Row>[] = [];
  for (const word of splitWords(list)) {
    const name = word.replace(/^[+-]/, '');
    if (isHelp(name)) return null;
    const field = findField(catalogue.fields, name);
    if (field === undefined) {
      throw new ReportError(`${catalogue.help()}dm_report: Unrecognised field: ${word}\n`);
    }
    if (keys.some((key) => key.field === field)) {
      warn(`dm_report: Ignoring duplicate sort field: ${word}.\n`);
    } else {
      keys.push({ field, descending: word.startsWith('-') });
    }
  }
  return keys;
}
