/** A value in the JSON of a header together with its path, and what can be demanded of it. Every refusal is a FormatError with the path. */

import { FormatError } from '../../../base/errors.ts';
import { isBase64 } from '../base64.ts';
import { BINARY_HEADER_BYTES } from '../binary-header.ts';
import {
  isObject,
  type JsonMap,
  JsonNumberText,
  type JsonValue,
  membersOf,
  printJson,
} from '../json-text.ts';

const U32_MAX = 0xffff_ffff;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const MAX_TEXT_CHARS = 256;
const MAX_SHOWN_CHARS = 40;

/** A number written as text may have as many digits as 2^64. */
const DECIMAL = /^(?:0|[1-9]\d{0,19})$/;

export class JsonNode {
  /** `keyslots.0.area.offset`; '' is the whole. */
  readonly path: string;
  readonly value: JsonValue | undefined;

  constructor(path: string, value: JsonValue | undefined) {
    this.path = path;
    this.value = value;
  }

  get exists(): boolean {
    return this.value !== undefined;
  }

  refuse(expected: string, got?: string): FormatError {
    return new FormatError({
      format: 'LUKS2 metadata',
      field: this.path === '' ? 'JSON area' : this.path,
      offsetBytes: BINARY_HEADER_BYTES,
      expected,
      got: got ?? shown(this.value),
    });
  }

  /** A member of an object; `exists` says whether it is there. */
  get(name: string): JsonNode {
    return new JsonNode(this.path === '' ? name : `${this.path}.${name}`, this.map().get(name));
  }

  map(): JsonMap {
    if (!isObject(this.value)) throw this.refuse('an object');
    return membersOf(this.value);
  }

  /** An object that we read by members' names; numbers for names are for sections and tokens only. */
  record(): JsonNode {
    if (!isObject(this.value)) throw this.refuse('an object');
    if (this.value instanceof Map) throw this.refuse('an object without numbers for names');
    return this;
  }

  /** A section: numbers from 0 to `limit` - 1, written without zeros in front, to nodes. */
  numbered(limit: number): Map<number, JsonNode> {
    const result = new Map<number, JsonNode>();
    for (const [name, value] of this.map()) {
      const member = new JsonNode(`${this.path}.${name}`, value);
      if (!DECIMAL.test(name) || Number(name) >= limit) {
        throw member.refuse(`a number below ${limit} for a name`, JSON.stringify(name));
      }
      result.set(Number(name), member);
    }
    return result;
  }

  text(): string {
    if (typeof this.value !== 'string') throw this.refuse('text');
    if (this.value === '' || this.value.length > MAX_TEXT_CHARS || this.value.includes('\0')) {
      throw this.refuse(`text of 1 to ${MAX_TEXT_CHARS} characters`);
    }
    return this.value;
  }

  oneOf(...words: readonly string[]): string {
    if (typeof this.value !== 'string' || !words.includes(this.value)) {
      throw this.refuse(words.map((word) => `"${word}"`).join(' or '));
    }
    return this.value;
  }

  integer(minimum = 0, maximum = U32_MAX): number {
    const { value } = this;
    if (typeof value !== 'number' || value < minimum || value > maximum) {
      throw this.refuse(`a whole number from ${minimum} to ${maximum}`);
    }
    return value;
  }

  /** Decimal text below 2^64. */
  u64(): bigint {
    if (typeof this.value !== 'string' || !DECIMAL.test(this.value)) {
      throw this.refuse('a decimal number as text');
    }
    const number = BigInt(this.value);
    if (number > U64_MAX) throw this.refuse('at most 2^64 - 1');
    return number;
  }

  /** Decimal text that counts bytes of a disk, a multiple of `alignment`. */
  bytes(alignment = 1): number {
    const number = this.u64();
    if (number > BigInt(Number.MAX_SAFE_INTEGER)) throw this.refuse('at most 2^53 - 1 bytes');
    if (number % BigInt(alignment) !== 0n) throw this.refuse(`a multiple of ${alignment} bytes`);
    return Number(number);
  }

  base64(minimumBytes: number, maximumBytes: number): void {
    const { value } = this;
    const range =
      minimumBytes === maximumBytes ? `${minimumBytes}` : `${minimumBytes} to ${maximumBytes}`;
    if (typeof value !== 'string' || value.length > MAX_TEXT_CHARS || !isBase64(value)) {
      throw this.refuse(`${range} bytes in base64`);
    }
    const lengthBytes = (value.length / 4) * 3 - (value.match(/=*$/)?.[0].length ?? 0);
    if (lengthBytes < minimumBytes || lengthBytes > maximumBytes) {
      throw this.refuse(`${range} bytes in base64`, `${lengthBytes} bytes`);
    }
  }

  list(maximumCount: number): JsonNode[] {
    if (!Array.isArray(this.value)) throw this.refuse('a list');
    if (this.value.length > maximumCount) {
      throw this.refuse(`at most ${maximumCount} items`, `${this.value.length}`);
    }
    return this.value.map((item, index) => new JsonNode(`${this.path}[${index}]`, item));
  }

  texts(maximumCount: number): string[] {
    return this.list(maximumCount).map((item) => item.text());
  }

  /** A list of numbers as text that name members of a section. */
  references(section: Map<number, unknown>, what: string, limit: number): number[] {
    const numbers = new Set<number>();
    for (const item of this.list(limit)) {
      const name = item.text();
      if (!DECIMAL.test(name) || !section.has(Number(name))) {
        throw item.refuse(`the number of a ${what} that exists`);
      }
      if (numbers.has(Number(name))) throw item.refuse(`each ${what} once`);
      numbers.add(Number(name));
    }
    return [...numbers];
  }
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value instanceof JsonNumberText) return value.text.slice(0, MAX_SHOWN_CHARS);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return 'an object';
  const text = printJson(value);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}...` : text;
}
