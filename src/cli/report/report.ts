/**
 * Reports as dmsetup and dmstats print them: columns chosen with `-o`, sorted with `-O`, selected with `-S`.
 *
 *     const report = new Report(
 *       { fields, groupsOfAll: [NAME, INFO], columns: 'name,minor', sort: 'name' },  // what the command can show, and shows
 *       { fields: '+uuid', sort: '-minor', selection: 'open>0', noheadings: true },  // what the user said
 *       { out: (text) => process.stdout.write(text), error: (text) => process.stderr.write(text) },
 *     );
 *     for (const row of rows) if (report.uses(INFO)) report.add(row);
 *     report.end();                       // prints what is buffered; more rows may follow, under headings of their own
 *     if (report.failed) throw ...        // a field could not be told for some row; that was written to `error` already
 *
 * The constructor throws `ReportError` (a text for standard error, exit status 1) for an unknown field or a selection
 * that cannot be read. When the user asked for help, it is written to `error`, `helped` is true and nothing is printed.
 * `uses(group)` tells which facts rows must have: columns, sort keys and selection count. `objects()` gives the rows of the
 * report for `--json`, instead of `end()`.
 *
 * field.ts says what a field is; field-list.ts reads `-o` and `-O`, selection-parser.ts `-S`, layout.ts prints.
 */

import {
  alignmentOf,
  type Cell,
  cellOf,
  compareKeys,
  type Field,
  FieldFailure,
  type FieldGroup,
  type FieldKey,
  type FieldType,
} from './field.ts';
import { type Catalogue, isHelp, readFieldList, readSortKeys, type SortKey } from './field-list.ts';
import { fieldHelp, SELECTION_HELP, selectionFieldHelp } from './help.ts';
import {
  type Column,
  columnLines,
  headingLine,
  initialWidth,
  type LayoutOptions,
  rowLine,
} from './layout.ts';
import { type Condition, fieldsOf, matches } from './selection.ts';
import { parseSelection } from './selection-parser.ts';

export interface ReportShape<Row> {
  /** All fields, in the order of the help. */
  fields: readonly Field<Row>[];
  /** What `-o all` shows. */
  groupsOfAll: readonly FieldGroup[];
  /** Without `-o`, and in front of what `-o +...` names. */
  columns: string;
  /** Without `-O`. */
  sort: string;
}

/** dmsetup's options, as the user gave them. */
export interface ReportOptions {
  fields?: string;
  sort?: string;
  selection?: string;
  headings?: 'none' | 'abbrev' | 'full';
  noheadings?: boolean;
  nameprefixes?: boolean;
  unquoted?: boolean;
  separator?: string;
  rows?: boolean;
}

export interface ReportSink {
  out(text: string): void;
  error(text: string): void;
}

type JsonValue = string | number | string[];

/** A row that has been added: what it prints and what it sorts by. */
interface Entry {
  cells: Cell[];
  sortKeys: FieldKey[];
}

/** The one field that belongs to every report. */
const SELECTED = {
  group: { prefix: 'special', title: 'Special' },
  id: 'selected',
  heading: 'Selected',
  widthBytes: 8,
  type: 'number',
  description: '',
  value: () => 1,
} as const satisfies Field<unknown>;

export class Report<Row> {
  /** Help was asked for and given. */
  readonly helped: boolean;
  #failed = false;
  readonly #sink: ReportSink;
  readonly #columns: readonly Field<Row>[];
  readonly #printed: readonly Column[];
  readonly #layout: LayoutOptions;
  readonly #asRows: boolean;
  readonly #sortKeys: readonly SortKey<Row>[];
  readonly #selection: Condition<Row> | undefined;
  #entries: Entry[] = [];

  constructor(shape: ReportShape<Row>, options: ReportOptions, sink: ReportSink) {
    this.#sink = sink;
    this.#layout = layoutOf(options);
    this.#asRows = options.rows ?? false;
    const catalogue: Catalogue<Row> = {
      fields: [...shape.fields, SELECTED],
      groupsOfAll: shape.groupsOfAll,
      help: () => fieldHelp(shape.fields),
    };
    const warn = (text: string) => sink.error(text);
    const columns = readFieldList(columnWords(shape.columns, options.fields), catalogue);
    const sortKeys = readSortKeys(options.sort ?? shape.sort, catalogue, warn);
    if (columns === null || sortKeys === null) warn(catalogue.help());
    const selection = options.selection ?? '';
    const wantsSelectionHelp = isHelp(selection);
    if (wantsSelectionHelp) warn(selectionFieldHelp(shape.fields) + SELECTION_HELP);
    else if (selection !== '') {
      const help = () => selectionFieldHelp(shape.fields);
      this.#selection = parseSelection(selection, catalogue.fields, help);
    }
    this.#columns = columns ?? [];
    this.#sortKeys = sortKeys ?? [];
    this.#printed = this.#columns.map((field) => ({ ...field, align: alignmentOf(field) }));
    this.helped = columns === null || sortKeys === null || wantsSelectionHelp;
  }

  /** Some row was left out because a field could not be told. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Whether a column, a sort key or the selection needs fields of this group. */
  uses(group: FieldGroup): boolean {
    const selected = this.#selection === undefined ? [] : fieldsOf(this.#selection);
    const sorted = this.#sortKeys.map(({ field }) => field);
    return [...this.#columns, ...sorted, ...selected].some((field) => field.group === group);
  }

  add(row: Row): void {
    if (this.helped) return;
    try {
      this.#add(row);
    } catch (error) {
      if (!(error instanceof FieldFailure)) throw error;
      this.#failed = true;
      this.#sink.error(`${error.message}\n`);
    }
  }

  #add(row: Row): void {
    const isSelected = this.#isSelected(row);
    // Whoever shows `selected` wants to see the others too.
    if (!isSelected && !this.#columns.includes(SELECTED)) return;
    const cell = (field: Field<Row>): Cell =>
      field === SELECTED ? cellOf(isSelected ? 1 : 0) : cellIn(row, field);
    this.#entries.push({
      cells: this.#columns.map(cell),
      sortKeys: this.#sortKeys.map(({ field }) => cell(field).key),
    });
  }

  #isSelected(row: Row): boolean {
    if (this.#selection === undefined) return true;
    return matches(this.#selection, (field) => cellIn(row, field).key);
  }

  /** Prints all rows since the last call; without rows nothing, not even headings. */
  end(): void {
    const rows = this.#takeRows();
    if (rows.length === 0) return;
    if (this.#asRows) {
      this.#sink.out(columnLines(rows, this.#printed, this.#layout));
      return;
    }
    const widthsBytes = this.#printed.map((column, index) =>
      rows.reduce(
        (width, cells) => Math.max(width, Buffer.byteLength(cells[index]!.text)),
        initialWidth(column, this.#layout),
      ),
    );
    const lines = rows.map((cells) => rowLine(cells, this.#printed, widthsBytes, this.#layout));
    if (this.#layout.headings !== 'none') {
      lines.unshift(headingLine(this.#printed, widthsBytes, this.#layout));
    }
    this.#sink.out(lines.join(''));
  }

  /** The rows since the last call, for JSON: numbers as numbers (as text beyond 2^53), lists as lists, sizes and percentages as their text. */
  objects(): Record<string, JsonValue>[] {
    return this.#takeRows().map((cells) =>
      Object.fromEntries(
        this.#columns.map((field, index) => [field.id, jsonOf(field, cells[index]!)]),
      ),
    );
  }

  #takeRows(): Cell[][] {
    const entries = this.#entries;
    this.#entries = [];
    return entries.sort((one, other) => this.#compare(one, other)).map(({ cells }) => cells);
  }

  #compare(one: Entry, other: Entry): number {
    for (const [index, { descending }] of this.#sortKeys.entries()) {
      const order = compareKeys(one.sortKeys[index]!, other.sortKeys[index]!);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  }
}

function layoutOf(options: ReportOptions): LayoutOptions {
  const { noheadings, rows, separator, nameprefixes, unquoted } = options;
  const headings = noheadings ? 'none' : (options.headings ?? 'abbrev');
  return {
    headings,
    separator: separator ?? (headings === 'none' ? ':' : ' '),
    aligned: headings !== 'none' && separator === undefined && !rows && !nameprefixes,
    namePrefixes: nameprefixes ?? false,
    quoted: !unquoted,
  };
}

/** `+uuid` is more columns, anything else other columns. */
function columnWords(usual: string, wanted = usual): string {
  return wanted.startsWith('+') ? `${usual},${wanted.slice(1)}` : wanted;
}

function cellIn<Row>(row: Row, field: Field<Row>): Cell {
  try {
    const value = field.value(row);
    if (value !== undefined) return cellOf(value);
  } catch (error) {
    if (!(error instanceof FieldFailure)) throw error;
    const problem = `_do_report_object: report function failed for field ${field.id}`;
    throw new FieldFailure(`${error.message}\n${problem}`, { cause: error });
  }
  throw new FieldFailure(`_do_report_object: no data assigned to field ${field.id}`);
}

function jsonOf({ type }: { type: FieldType }, { text, key }: Cell): JsonValue {
  if (typeof key === 'object') return [...key];
  if (type !== 'number') return text;
  return Number.isSafeInteger(Number(key)) || typeof key === 'number' ? Number(key) : text;
}
