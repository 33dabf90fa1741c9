/**
 * Regular expressions as libdevmapper's `=~` reads them: `|`, `*`, `+`, `?`, `( )`, `.`, `[ ]` with ranges and `^`, anchors, `\` before
 * anything. Not anchored unless it says so. The ends of a text are characters of their own, so `.` and `[^x]` match them too:
 * `.` matches the empty text, `[^a]o` matches `other`.
 *
 * Matched by walking all states at once: time grows with pattern x text, whatever the pattern.
 */

const START = '\u0002';
const END = '\u0003';
export const MAX_PATTERN_LENGTH = 4096;
const MAX_DEPTH = 100;

type Accepts = (character: string) => boolean;
/** A step waits for a character, splits, or ends. Numbers are places in the program. */
type Step =
  | { kind: 'character'; accepts: Accepts }
  | { kind: 'split'; first: number; second: number }
  | { kind: 'jump'; to: number }
  | { kind: 'match' };

export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

class PatternReader {
  readonly #text: string;
  #place = 0;
  #depth = 0;
  readonly program: Step[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  read(): Step[] {
    this.#alternatives();
    if (this.#place < this.#text.length) throw new PatternError('unexpected )');
    this.program.push({ kind: 'match' });
    return this.program;
  }

  #peek(): string {
    return this.#text[this.#place] ?? '';
  }

  #next(): string {
    const character = this.#peek();
    if (character === '') throw new PatternError("missing ')' in regular expression");
    this.#place += 1;
    return character;
  }

  #alternatives(): void {
    const start = this.program.length;
    this.#sequence();
    if (this.#peek() !== '|') return;
    this.#next();
    this.#insert(start, { kind: 'split', first: start + 1, second: this.program.length + 2 });
    const jump = this.program.push({ kind: 'jump', to: 0 }) - 1;
    this.#alternatives();
    this.program[jump] = { kind: 'jump', to: this.program.length };
  }

  #sequence(): void {
    let isEmpty = true;
    while (!['', '|', ')'].includes(this.#peek())) {
      this.#repeated();
      isEmpty = false;
    }
    if (isEmpty) throw new PatternError("Badly formed 'or' expression or missing ')'");
  }

  #repeated(): void {
    const start = this.program.length;
    this.#single();
    while (['*', '+', '?'].includes(this.#peek())) this.#repeat(start, this.#next());
  }

  /** What starts at `start` becomes repeatable, optional or both. */
  #repeat(start: number, operator: string): void {
    if (operator === '+') {
      this.program.push({ kind: 'split', first: start, second: this.program.length + 1 });
      return;
    }
    const loops = operator === '*';
    const after = this.program.length + (loops ? 2 : 1);
    this.#insert(start, { kind: 'split', first: start + 1, second: after });
    if (loops) this.program.push({ kind: 'jump', to: start });
  }

  /** Everything from `place` on moves by one, and so do the steps that point there. */
  #insert(place: number, step: Step): void {
    const moved = (target: number) => (target >= place ? target + 1 : target);
    for (const [index, each] of this.program.entries()) {
      if (index < place) continue;
      if (each.kind === 'jump') this.program[index] = { kind: 'jump', to: moved(each.to) };
      if (each.kind === 'split') {
        this.program[index] = { ...each, first: moved(each.first), second: moved(each.second) };
      }
    }
    this.program.splice(place, 0, step);
  }

  #single(): void {
    const character = this.#next();
    if (character === '(') {
      this.#group();
      return;
    }
    if (['*', '+', '?'].includes(character)) {
      throw new PatternError(`nothing before ${character} to repeat`);
    }
    this.program.push({ kind: 'character', accepts: this.#characterTest(character) });
  }

  #group(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new PatternError(`more than ${MAX_DEPTH} nested (`);
    this.#alternatives();
    if (this.#next() !== ')') throw new PatternError("missing ')' in regular expression");
    this.#depth -= 1;
  }

  #characterTest(character: string): Accepts {
    if (character === '.') return (each) => each !== '\n' && each !== '\r' && each !== '\0';
    if (character === '[') return this.#set();
    const wanted = character === '^' ? START : character === '$' ? END : this.#literal(character);
    return (each) => each === wanted;
  }

  #literal(character: string): string {
    if (character !== '\\') return character;
    const escaped = this.#next();
    return ESCAPES[escaped] ?? escaped;
  }

  /** Behind `[`. */
  #set(): Accepts {
    const negated = this.#peek() === '^';
    if (negated) this.#next();
    const ranges: [first: string, last: string][] = [];
    for (let each = this.#next(); each !== ']'; each = this.#next()) {
      const first = this.#literal(each);
      if (this.#peek() !== '-' || ranges.length > 1_000) {
        ranges.push([first, first]);
        continue;
      }
      this.#next();
      const last = this.#literal(this.#next());
      ranges.push(first <= last ? [first, last] : [last, first]);
    }
    const isListed = (each: string) =>
      ranges.some(([first, last]) => each >= first && each <= last);
    return negated ? (each) => !isListed(each) : isListed;
  }
}

/** The program's steps that wait for a character or end it, reachable from `place` without one. */
function follow(program: readonly Step[], place: number, reached: Set<number>): void {
  const pending = [place];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    const step = program[next]!;
    if (step.kind === 'jump') pending.push(step.to);
    else if (step.kind === 'split') pending.push(step.second, step.first);
  }
}

/** The test behind `=~`. Throws `PatternError`. */
export function compilePattern(pattern: string): (text: string) => boolean {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new PatternError(
      `pattern has ${pattern.length} characters, at most ${MAX_PATTERN_LENGTH}`,
    );
  }
  const program = new PatternReader(pattern).read();
  const matchPlace = program.length - 1;
  return (text) => {
    let places = new Set<number>();
    follow(program, 0, places);
    for (const character of `${START}${text}${END}`) {
      if (places.has(matchPlace)) return true;
      const next = new Set<number>();
      for (const place of places) {
        const step = program[place]!;
        if (step.kind === 'character' && step.accepts(character)) follow(program, place + 1, next);
      }
      follow(program, 0, next); // it may begin at every character
      places = next;
    }
    return places.has(matchPlace);
  };
}
