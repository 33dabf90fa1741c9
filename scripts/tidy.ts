/**
 * House rules that no linter has: `tsx scripts/tidy.ts` prints `file:line: what instead` for each offence and fails.
 * Rules read the syntax tree, so a string or a comment that mentions a forbidden word is no offence.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const maxFileLines = 400;

/** Files that may be longer, each with its reason. */
const longFiles: Readonly<Record<string, string>> = {};

export interface Offence {
  line: number;
  advice: string;
}

const isTest = (path: string) => path.endsWith('.test.ts') || /^(test|src\/testing)\//.test(path);

/** Where time and randomness must come from base, so that a simulation owns them. */
const isDeterministic = (path: string) =>
  path.startsWith('src/') && !path.startsWith('src/base/') && !isTest(path);

/** Where plain text on the terminal is the purpose. */
const mayPrint = (path: string) => /^(src\/cli|scripts|bench|docs\/examples)\//.test(path);

const ambientCalls: Readonly<Record<string, string>> = {
  'Math.random': 'a Prng from src/base/prng.ts, seeded by the caller',
  'Date.now': 'clock.wallMs() of a Clock from src/base/clock.ts',
  'performance.now': 'clock.nowMs() of a Clock from src/base/clock.ts',
  setTimeout: 'clock.after() or sleep() from src/base/clock.ts',
  setInterval: 'clock.after() from src/base/clock.ts',
};

/** The offences in one file; `path` is relative to the project and decides which rules hold. */
export function findOffences(path: string, text: string): Offence[] {
  const offences: Offence[] = [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const report = (position: number, advice: string) => {
    offences.push({ line: source.getLineAndCharacterOfPosition(position).line + 1, advice });
  };
  checkLength(path, text, offences);
  const visit = (node: ts.Node): void => {
    checkNode(path, source, node, (advice) => report(node.getStart(source), advice));
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const comment of commentsOf(source)) {
    const offset = comment.text.search(/\b(TODO(?!\(#\d+\))|FIXME|XXX)\b/);
    if (offset >= 0) {
      report(comment.start + offset, 'finish it, or open an issue and write TODO(#number)');
    }
  }
  return offences.sort((a, b) => a.line - b.line);
}

function checkLength(path: string, text: string, offences: Offence[]): void {
  const lineCount = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lineCount > maxFileLines && longFiles[path] === undefined) {
    const advice = `split it by idea: ${lineCount} lines, at most ${maxFileLines}`;
    offences.push({ line: maxFileLines + 1, advice });
  }
}

function checkNode(
  path: string,
  source: ts.SourceFile,
  node: ts.Node,
  report: (advice: string) => void,
): void {
  if (ts.isCatchClause(node)) {
    const body = node.block.getText(source);
    if (/^\{\s*\}$/.test(body))
      report('handle the error, or say in the block why nothing is to do');
  } else if (ts.isCallExpression(node)) {
    checkCall(path, node, report);
  } else if (ts.isNewExpression(node)) {
    const isNow = node.expression.getText(source) === 'Date' && !node.arguments?.length;
    if (isNow && isDeterministic(path)) report(`use ${ambientCalls['Date.now']}`);
  } else if (ts.isPropertyAccessExpression(node)) {
    checkProperty(path, node, report);
  }
}

function checkCall(path: string, call: ts.CallExpression, report: (advice: string) => void): void {
  const callee = call.expression;
  const name = dottedName(callee);
  if (name === 'parseInt' || name === 'Number.parseInt') {
    report(
      'parseInt stops at the first bad character: use the argument reader, or Number() checked',
    );
  }
  const instead = isDeterministic(path) ? ambientCalls[name] : undefined;
  if (instead !== undefined) report(`use ${instead}`);
}

function checkProperty(
  path: string,
  property: ts.PropertyAccessExpression,
  report: (advice: string) => void,
): void {
  const root = dottedName(property).split('.')[0] ?? '';
  const method = property.name.text;
  if (root === 'console' && ts.isIdentifier(property.expression) && !mayPrint(path)) {
    report('let the caller print: return the text, or throw an error');
  }
  if (!path.endsWith('.test.ts') || !['test', 'it', 'describe', 'suite'].includes(root)) return;
  if (method === 'only') report('remove .only: the other tests of the file do not run');
  if (['skip', 'skipIf', 'runIf', 'todo'].includes(method)) {
    report(`remove .${method}: use requireTools() for what a machine may lack`);
  }
}

/** `Math.random` of `Math.random`, `globalThis.setTimeout` as `setTimeout`; anything else reads as its outer names. */
function dottedName(expression: ts.Expression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  if (ts.isCallExpression(expression)) return dottedName(expression.expression);
  if (!ts.isPropertyAccessExpression(expression)) return '';
  const outer = dottedName(expression.expression);
  return outer === 'globalThis' ? expression.name.text : `${outer}.${expression.name.text}`;
}

function commentsOf(source: ts.SourceFile): { start: number; text: string }[] {
  const text = source.text;
  const comments = new Map<number, string>();
  const collect = (ranges: ts.CommentRange[] | undefined) => {
    for (const { pos, end } of ranges ?? []) comments.set(pos, text.slice(pos, end));
  };
  const visit = (node: ts.Node): void => {
    collect(ts.getLeadingCommentRanges(text, node.getFullStart()));
    collect(ts.getTrailingCommentRanges(text, node.getEnd()));
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  return [...comments].map(([start, comment]) => ({ start, text: comment }));
}

/** Files that git tracks or would track: what others will see. */
function listFiles(): string[] {
  const arguments_ = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  return execFileSync('git', arguments_, { encoding: 'utf8' })
    .split('\0')
    .filter((path) => /\.(ts|mjs|cjs|js)$/.test(path) && existsSync(path));
}

function main(): void {
  const paths = listFiles();
  let count = 0;
  for (const path of paths) {
    for (const { line, advice } of findOffences(path, readFileSync(path, 'utf8'))) {
      console.log(`${path}:${line}: ${advice}`);
      count += 1;
    }
  }
  if (count > 0) process.exitCode = 1;
  console.log(`tidy: ${paths.length} files, ${count} offences`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
