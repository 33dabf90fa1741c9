/**
 * dmsetup's concise format: devices in one line of text.
 *
 *     <name>,<uuid>,<minor>,<flags>,<table>[,<table>+][;<name>,...]
 *
 * A backslash takes the next character as it is. White space behind a separator says nothing. What dmsetup 1.02.185 makes of
 * odd input was seen in a real kernel: test/kernel has it.
 */

import { DmError } from '../../base/errors.ts';

export interface ConciseDevice {
  name: string;
  uuid: string;
  /** null: any. */
  minor: number | null;
  readOnly: boolean;
  /** The rows, a line each; to be parsed as any table. */
  table: string;
}

/** What dmsetup prints: the message, and the line `details` below it. */
export class ConciseError extends DmError {
  readonly details: string | null;

  constructor(message: string, details: string | null) {
    super('EINVAL', message);
    this.details = details;
  }
}

const FIELD_NAMES = ['name', 'uuid', 'minor', 'flags', 'table'] as const;
const TABLE_FIELD = 4;
const MINOR_MASK = 0xf_ffff;
const FIVE_FIELDS = 'five comma-separated fields are required for each device';

/** One device after the other, so that those before a mistake are there already, as with dmsetup. Throws ConciseError. */
export function* parseConcise(text: string): Generator<ConciseDevice> {
  for (let position = 0; position < text.length; ) {
    const entry = readEntry(text, position);
    yield deviceOf(entry.fields);
    position = skipBlank(text, entry.end);
  }
}

/** Up to and with the `;` behind a device, or to the end. */
function readEntry(text: string, start: number): { fields: string[]; end: number } {
  const fields = [''];
  let atFieldStart = false;
  let position = start;
  for (; position < text.length && text[position] !== ';'; position += 1) {
    const character = text[position]!;
    if (character === ',') {
      // Table lines are one field, whose lines are apart.
      if (fields.length > TABLE_FIELD) fields[TABLE_FIELD] += '\n';
      else fields.push('');
      position = skipBlank(text, position + 1) - 1;
      atFieldStart = true;
      continue;
    }
    if (character === '\\') position += 1;
    if (position === text.length) {
      const reason = 'Backslash must be followed by another character at end of string.';
      throw new ConciseError(reason, describeFields(fields));
    }
    fields[fields.length - 1] += text[position]!;
    atFieldStart = false;
  }
  if (position === text.length && atFieldStart) {
    throw new ConciseError(`Incomplete entry: ${FIVE_FIELDS}`, describeFields(fields));
  }
  if (fields.length <= TABLE_FIELD) {
    const reason = `F${FIVE_FIELDS.slice(1)}`;
    throw new ConciseError(reason, describeFields(fields));
  }
  return { fields, end: position + 1 };
}

function skipBlank(text: string, start: number): number {
  let position = start;
  while (position < text.length && /\s/.test(text[position]!)) position += 1;
  return position;
}

function describeFields(fields: readonly string[]): string {
  const described = FIELD_NAMES.map((name, index) => `${name}: ${fields[index] ?? '(null)'}`);
  return `Parsed ${fields.length} fields: ${described.join(' ')}`;
}

function deviceOf(fields: readonly string[]): ConciseDevice {
  const [name, uuid, minor, flags, table] = fields as [string, string, string, string, string];
  if (flags !== '' && flags !== 'ro' && flags !== 'rw') {
    const reason = `Invalid flags parameter '${flags}' must be 'ro' or 'rw' or empty.`;
    throw new ConciseError(reason, null);
  }
  return { name, uuid, minor: parseMinor(minor), readOnly: flags === 'ro', table };
}

/** As atoi reads it: digits until something else comes, 0 where there are none. */
function parseMinor(text: string): number | null {
  if (text === '') return null;
  const digits = /^[+-]?\d+/.exec(text)?.[0] ?? '0';
  return Number(BigInt.asUintN(32, BigInt(digits.replace('+', '')))) & MINOR_MASK;
}

export interface ConciseOutput {
  name: string;
  uuid: string;
  minor: number;
  readOnly: boolean;
  /** Rows as `table` prints them. */
  rows: readonly string[];
}

/** What `parseConcise` reads, and `table --concise` prints. */
export function formatConcise(devices: readonly ConciseOutput[]): string {
  return devices.map(formatDevice).join(';');
}

function formatDevice({ name, uuid, minor, readOnly, rows }: ConciseOutput): string {
  const fields = [name, uuid].map(escapeField);
  return [...fields, `${minor}`, readOnly ? 'ro' : 'rw', ...rows.map(escapeField)].join(',');
}

function escapeField(text: string): string {
  return text.replaceAll(/[,;\\]/g, '\\$&');
}

/** A file of devices: a line may hold several, or half of one where it ends with a comma; `#` begins a line that says nothing. */
export function conciseOfLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .reduce((joined, line) => (/(^|[,;])$/.test(joined) ? joined + line : `${joined};${line}`), '');
}
