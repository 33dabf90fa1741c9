/**
 * Draws a tree of devices as `dmsetup ls --tree` does, with its peculiarities, because scripts compare:
 *
 * - compact: the first of several users or used ones stands on its parent's line. A line stays open below a device whose children are
 *   all hidden (`compact,nodevice`), and then the next device goes on in it.
 * - the bars below a device that stands on its parent's line are three columns too far to the right.
 * - the children of a hidden device (`inverted,nodevice`) stand where the last line ended.
 * - control characters of vt100 count as columns.
 */

import type { TreeNode } from './tree.ts';

export interface Symbols {
  /** ` |-`, ` \`-`, ` | `, `-+-`, `---` */
  branch: string;
  lastBranch: string;
  bar: string;
  fork: string;
  straight: string;
}

export const SYMBOLS: Readonly<Record<'ascii' | 'utf' | 'vt100', Symbols>> = {
  ascii: { branch: ' |-', lastBranch: ' `-', bar: ' | ', fork: '-+-', straight: '---' },
  utf: { branch: ' ├─', lastBranch: ' └─', bar: ' │ ', fork: '─┬─', straight: '───' },
  vt100: {
    branch: ` ${vt100('tq')}`,
    lastBranch: ` ${vt100('mq')}`,
    bar: ` ${vt100('x')} `,
    fork: vt100('qwq'),
    straight: vt100('qqq'),
  },
};

/** Line drawing characters between the sequences that switch them on and off. */
function vt100(characters: string): string {
  return `\u001b(0\u000f${characters}\u001b(B`;
}

const NO_BAR = '   ';
const ELLIPSIS = '...';

export interface DrawOptions {
  symbols: Symbols;
  compact: boolean;
  inverted: boolean;
  /** null: this one is not shown. */
  label(node: TreeNode): string | null;
  /** Longer lines are cut one column before and end in `...`; null: as long as they are. */
  columns: number | null;
}

/** `roots`: what is not below anything, in order. */
export function drawTree(roots: readonly TreeNode[], options: DrawOptions): string {
  const drawing = new Drawing(options);
  drawing.draw(roots);
  return drawing.text;
}

interface Place {
  node: TreeNode;
  depth: number;
  isLast: boolean;
}

class Drawing {
  text = '';
  readonly #options: DrawOptions;
  #line = '';
  #isOpen = false;
  /** Columns of the line so far; a line that has ended keeps its number until the next one begins. */
  #column = 0;
  /** By depth: whether more siblings follow. */
  readonly #hasMore: boolean[] = [];
  /** By depth: spaces in front of the symbol. */
  readonly #indents: number[] = [0];
  /** By depth: from where the indents of the next depth count. */
  readonly #origins: number[] = [0];

  constructor(options: DrawOptions) {
    this.#options = options;
  }

  draw(roots: readonly TreeNode[]): void {
    const places = (nodes: readonly TreeNode[], depth: number): Place[] =>
      nodes.map((node, index) => ({ node, depth, isLast: index === nodes.length - 1 })).reverse();
    // Not recursive: a stack of devices may be deeper than a stack of calls.
    const pending = places(roots, 0);
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      const below = this.#options.inverted ? place.node.usedBy : place.node.uses;
      this.#drawNode(place, below.length > 0);
      if (this.#options.compact && below.length > 0) {
        this.#indents[place.depth + 1] = this.#column - (this.#origins[place.depth] ?? 0);
      }
      pending.push(...places(below, place.depth + 1));
    }
    if (this.#isOpen) this.text += this.#cut();
  }

  #drawNode({ node, depth, isLast }: Place, hasChildren: boolean): void {
    const label = this.#options.label(node);
    if (label === null) return;
    this.#hasMore[depth] = !isLast;
    if (this.#isOpen) {
      this.#origins[depth] = this.#column;
      const { straight, fork } = this.#options.symbols;
      this.#put(isLast ? straight : fork);
    } else {
      this.#beginLine(depth);
      this.#origins[depth] = this.#options.compact ? this.#column : 0;
    }
    this.#put(label);
    this.#isOpen = this.#options.compact && hasChildren;
    if (!this.#isOpen) this.#endLine();
  }

  #beginLine(depth: number): void {
    const { branch, lastBranch, bar } = this.#options.symbols;
    this.#column = 0;
    for (let level = 1; level <= depth; level += 1) {
      this.#put(' '.repeat(this.#indents[level] ?? 0));
      const more = this.#hasMore[level] ?? false;
      if (level < depth) this.#put(more ? bar : NO_BAR);
      else this.#put(more ? branch : lastBranch);
    }
  }

  #put(text: string): void {
    this.#line += text;
    this.#column += columnsOf(text);
  }

  #endLine(): void {
    this.text += `${this.#cut()}\n`;
    this.#line = '';
  }

  #cut(): string {
    const { columns } = this.#options;
    if (columns === null || columnsOf(this.#line) <= columns) return this.#line;
    return `${[...this.#line].slice(0, columns - 1).join('')}${ELLIPSIS}`;
  }
}

/** Characters, whatever their width. */
function columnsOf(text: string): number {
  return [...text].length;
}
