/**
 * JSON as LUKS2 headers hold it: read and printed without changing what we do not understand. `JSON.parse` would move members with
 * numeric names to the front and round large numbers, so a header would not survive being rewritten.
 *
 * - An object with a numeric member name becomes a `Map`, any other a plain object without prototype; both keep the order.
 * - A number that is not a safe integer in its shortest form becomes a `JsonNumberText`.
 * - Printed compactly, escaped as json-c does: non-ASCII text and slashes as they are.
 *
 * Source: RFC 8259.
 */

import { FormatError } from '../../base/errors.ts';

/** json-c, and so cryptsetup, refuses more. */
const MAX_DEPTH = 32;

/** A number that only its text says exactly: `1.0`, `1e5`, `18446744073709551615`. */
export class JsonNumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export interface JsonRecord {
  [name: string]: JsonValue | undefined;
}
export type JsonMap = Map<string, JsonValue>;
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | JsonNumberText
  | JsonValue[]
  | JsonRecord
  | JsonMap;

/** Blank, tab, line feed, carriage return. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

const NUMERIC_NAME = /^\d+$/;

export interface ParsedJson {
  value: JsonValue;
  /** How much of the text it took. */
  lengthChars: number;
}

/** The value at the start of `text`; what comes after it is the caller's concern. Throws FormatError with the place. */
export function parseJson(text: string): ParsedJson {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  return { value, lengthChars: reader.offset };
}

class JsonReader {
  offset = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) throw this.#problem(`at most ${MAX_DEPTH} levels`);
    this.#skipSpace();
    const first = this.#text[this.offset];
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#array(depth);
    if (first === '"') return this.#string();
    return this.#word();
  }

  #object(depth: number): JsonRecord | JsonMap {
    const members: JsonMap = new Map();
    this.offset += 1;
    let more = !this.#takes('}');
    while (more) {
      this.#skipSpace();
      if (this.#text[this.offset] !== '"') throw this.#problem('a member name');
      const name = this.#string();
      if (!this.#takes(':')) throw this.#problem('":"');
      members.set(name, this.value(depth + 1));
      more = this.#takes(',');
      if (!more && !this.#takes('}')) throw this.#problem('"," or "}"');
    }
    for (const name of members.keys()) if (NUMERIC_NAME.test(name)) return members;
    return recordOf(members);
  }

  #array(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.offset += 1;
    let more = !this.#takes(']');
    while (more) {
      items.push(this.value(depth + 1));
      more = this.#takes(',');
      if (!more && !this.#takes(']')) throw this.#problem('"," or "]"');
    }
    return items;
  }

  #string(): string {
    const start = this.offset;
    const token = this.#match(/"[^"\\]*(?:\\.[^"\\]*)*"/uy);
    try {
      return JSON.parse(token ?? '') as string; // escapes and control characters by the same rules as ours
    } catch {
      this.offset = start;
      throw this.#problem('a string');
    }
  }

  #word(): JsonValue {
    const token = this.#match(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (token === null) throw this.#problem('a value');
    if (token === 'true') return true;
    if (token === 'false') return false;
    if (token === 'null') return null;
    const number = Number(token);
    return Number.isSafeInteger(number) && String(number) === token
      ? number
      : new JsonNumberText(token);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.offset;
    const token = pattern.exec(this.#text)?.[0];
    if (token === undefined) return null;
    this.offset += token.length;
    return token;
  }

  #takes(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.offset] !== char) return false;
    this.offset += 1;
    return true;
  }

  #skipSpace(): void {
    while (BLANKS.has(this.#text.charCodeAt(this.offset))) this.offset += 1;
  }

  #problem(expected: string): FormatError {
    const got = this.#text[this.offset];
    return new FormatError({
      format: 'LUKS2 metadata',
      field: 'JSON text',
      offsetBytes: this.offset,
      expected,
      got: got === undefined || got === '\0' ? 'the end of the text' : JSON.stringify(got),
    });
  }
}

function recordOf(members: JsonMap): JsonRecord {
  const record = Object.create(null) as JsonRecord;
  for (const [name, value] of members) record[name] = value;
  return record;
}

/** Members of an object, whichever way it is held. */
export function membersOf(object: JsonRecord | JsonMap): JsonMap {
  if (object instanceof Map) return object;
  const members: JsonMap = new Map();
  for (const [name, value] of Object.entries(object)) {
    if (value !== undefined) members.set(name, value);
  }
  return members;
}

export function isObject(value: JsonValue | undefined): value is JsonRecord | JsonMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumberText)
  );
}

/** Compact, members in their order. */
export function printJson(value: JsonValue): string {
  if (value instanceof JsonNumberText) return value.text;
  if (Array.isArray(value)) return `[${value.map(printJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = [...membersOf(value)].map(([n, v]) => `${JSON.stringify(n)}:${printJson(v)}`);
  return `{${members.join(',')}}`;
}

/** As `cryptsetup luksDump --dump-json-metadata` prints: two blanks a level, no blank behind colons. */
export function printJsonPretty(value: JsonValue, indent = ''): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return `[\n${indent}]`;
    const items = value.map((item) => inner + printJsonPretty(item, inner));
    return `[\n${items.join(',\n')}\n${indent}]`;
  }
  if (!isObject(value)) return printJson(value);
  const members = [...membersOf(value)].map(
    ([name, member]) => `${inner}${JSON.stringify(name)}:${printJsonPretty(member, inner)}`,
  );
  return members.length === 0 ? `{\n${indent}}` : `{\n${members.join(',\n')}\n${indent}}`;
}
