/** Reads the words of `-S` from left to right: fields, operators, quoted and bare values. Knows no fields. */

/** Where a bare value ends, besides white space: `&` and `|` alone belong to it. */
const LOGICAL_OPERATOR = /^(?:&&|\|\||,|#)/;

/** A value cannot be read; the message is libdevmapper's. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}

export class SelectionText {
  readonly #text: string;
  #place = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get rest(): string {
    return this.#text.slice(this.#place);
  }

  skipSpace(): void {
    this.take(/^\s*/);
  }

  /** What stands here and matches; '' otherwise. */
  take(expression: RegExp): string {
    const found = expression.exec(this.rest)?.[0] ?? '';
    this.#place += found.length;
    return found;
  }

  /** `andOperator` or `orOperator` behind white space; nothing is taken otherwise. */
  takeOperator(expression: RegExp): boolean {
    const start = this.#place;
    this.skipSpace();
    if (this.take(expression) !== '') return true;
    this.#place = start;
    return false;
  }

  /** Quoted, or bare up to white space, a logical operator or one of `ends`. */
  takeString(ends: string): string {
    this.skipSpace();
    const quote = this.take(/^["']/);
    if (quote !== '') {
      const end = this.#text.indexOf(quote, this.#place);
      if (end < 0) throw new ValueError('Missing end quote.');
      const value = this.#text.slice(this.#place, end);
      this.#place = end + 1;
      return value;
    }
    const rest = this.rest;
    let length = 0;
    while (length < rest.length && !this.#endsAt(rest, length, ends)) length += 1;
    this.#place += length;
    return rest.slice(0, length);
  }

  #endsAt(rest: string, place: number, ends: string): boolean {
    const character = rest[place]!;
    if (/\s/.test(character) || ends.includes(character)) return true;
    return LOGICAL_OPERATOR.test(rest.slice(place, place + 2));
  }
}
