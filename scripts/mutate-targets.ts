/**
 * Plants bugs in every target and sees whether its test notices: `npx tsx scripts/mutate-targets.ts [TARGET...]`.
 *
 * A mutant is a copy of the target's file with one operator, number, text or statement changed. It runs in a copy of the
 * project, several mutants a process; a process that does not come back within the limit runs them again one by one, where
 * an endless loop counts as noticed. Mutants that are known to change nothing are left out. Prints a table and every mutant that no test noticed; fails when there is one.
 */

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const allTargets = ['linear', 'striped', 'error', 'zero', 'unstriped', 'switch'];
const batchSize = 12;
const batchLimitMs = 120_000;
const singleLimitMs = 30_000;

interface Mutant {
  start: number;
  end: number;
  text: string;
  line: number;
  change: string;
}

const operators: Readonly<Record<string, string>> = {
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '&&': '||',
  '||': '&&',
  '&': '|',
  '|': '&',
  '<<': '>>>',
  '>>>': '<<',
  '+=': '-=',
  '-=': '+=',
};

const calls: Readonly<Record<string, string>> = {
  'Math.floor': 'Math.ceil',
  'Math.ceil': 'Math.floor',
  'Math.max': 'Math.min',
};

/** What is written for people alone, beyond the kernel's words: the laws say nothing about it. */
const wording = new Set(['usage', 'summary', 'detail', 'expected']);

/** Mutants that do the same as the original, so that no test can tell: the code of their line and the change. */
const harmless: Readonly<Record<string, readonly [code: string, change: string, why: string][]>> = {
  switch: [
    ['if (tableBytes >', '> -> >=', 'only a table of exactly 1 GiB would show it'],
    [
      'for (let region = 0; region < period',
      '0 -> (0 + 1)',
      'region 0 is on path 0 from the start',
    ],
    ['for (let region = 0; region < period', '< -> <=', 'one entry more, copied over or cut off'],
    ['for (let done = period; done < slot', '< -> <=', 'one copy more, of nothing'],
  ],
};

function isHarmless(target: string, code: string, { line, change }: Mutant): boolean {
  const text = code.split('\n')[line - 1]!.trim();
  return (harmless[target] ?? []).some(
    ([start, ofChange]) => text.startsWith(start) && change === ofChange,
  );
}

function mutantsOf(text: string): Mutant[] {
  const source = ts.createSourceFile('target.ts', text, ts.ScriptTarget.Latest, true);
  const mutants: Mutant[] = [];
  const add = (node: ts.Node, replacement: string) => {
    const start = node.getStart(source);
    const before = node.getText(source).split('\n')[0]!;
    const line = source.getLineAndCharacterOfPosition(start).line + 1;
    const change = `${before} -> ${replacement || '(nothing)'}`;
    mutants.push({ start, end: node.getEnd(), text: replacement, line, change });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isTypeNode(node) || isWording(node)) return;
    mutate(node, source, add);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return mutants;
}

function isWording(node: ts.Node): boolean {
  const isNamed = ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node);
  return isNamed && ts.isIdentifier(node.name) && wording.has(node.name.text);
}

function mutate(
  node: ts.Node,
  source: ts.SourceFile,
  add: (node: ts.Node, text: string) => void,
): void {
  const text = node.getText(source);
  if (ts.isBinaryExpression(node)) {
    const other = operators[node.operatorToken.getText(source)];
    if (other !== undefined) add(node.operatorToken, other);
  } else if (ts.isNumericLiteral(node)) {
    add(node, `(${text} + 1)`);
  } else if (ts.isPropertyAccessExpression(node) && calls[text] !== undefined) {
    add(node, calls[text]);
  } else if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
    add(node, text === 'true' ? 'false' : 'true');
  } else if (ts.isExpressionStatement(node)) {
    add(node, '');
  } else if (ts.isStringLiteral(node) && !isArgumentName(node)) {
    add(node, text === "''" ? "'x'" : "''");
  } else if (isTemplatePiece(node) && node.text.length > 0 && !isDetail(node)) {
    add(node, text.replace(node.text, node.text.slice(1)));
  }
}

function isTemplatePiece(
  node: ts.Node,
): node is ts.TemplateHead | ts.TemplateMiddle | ts.TemplateTail {
  return ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node);
}

/** The name of an argument, for messages: `args.word('device')`. */
function isArgumentName(node: ts.StringLiteral): boolean {
  const { parent } = node;
  if (!ts.isCallExpression(parent) || parent.arguments[0] !== node) return false;
  return /\bargs\.(word|integer|sectors)$/.test(parent.expression.getText());
}

/** Behind the kernel's words a message tells the numbers. */
function isDetail(node: ts.Node): boolean {
  for (let up = node.parent; up as ts.Node | undefined; up = up.parent) {
    if (isWording(up)) return true;
    if (ts.isThrowStatement(up)) return true;
  }
  return false;
}

/** A copy of what the tests need, in which each mutant gets a folder beside the real targets. */
function prepareCopy(): string {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-mutants-'));
  cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true });
  for (const file of ['package.json', 'tsconfig.json']) {
    cpSync(join(root, file), join(folder, file));
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const config = "export default { test: { include: ['src/mutants/**/*.test.ts'] } };\n";
  writeFileSync(join(folder, 'vitest.config.mjs'), config);
  return folder;
}

function writeMutant(folder: string, id: string, target: string, mutant: Mutant): void {
  const place = join(folder, 'src/mutants', id);
  mkdirSync(place, { recursive: true });
  const read = (file: string) => readFileSync(join(root, 'src/targets', file), 'utf8');
  const code = read(`${target}.ts`);
  const mutated = code.slice(0, mutant.start) + mutant.text + code.slice(mutant.end);
  const outward = (text: string) => text.replaceAll("from '../", "from '../../");
  writeFileSync(join(place, `${target}.ts`), outward(mutated));
  const others = new RegExp(`from './(?!${target}\\.ts)`, 'g');
  const test = outward(read(`${target}.test.ts`)).replace(others, "from '../../targets/");
  writeFileSync(join(place, `${target}.test.ts`), test);
}

/** Which of the mutants some test noticed. */
function run(folder: string, ids: readonly string[]): Set<string> {
  const report = join(folder, 'report.json');
  rmSync(report, { force: true });
  const filters = ids.map((id) => `src/mutants/${id}/`);
  spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--pool=threads', // which die with the process
      '--no-isolate',
      '--reporter=json',
      `--outputFile=${report}`,
      ...filters,
    ],
    { cwd: folder, timeout: ids.length > 1 ? batchLimitMs : singleLimitMs, killSignal: 'SIGKILL' },
  );
  const results = readReport(report);
  if (results) return new Set(ids.filter((id) => results.get(id) !== 'passed'));
  if (ids.length === 1) return new Set(ids);
  return new Set(ids.flatMap((id) => [...run(folder, [id])]));
}

/** How each mutant's file ended; null when the process was killed before it could say. */
function readReport(path: string): Map<string, string> | null {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as {
      testResults: { name: string; status: string }[];
    };
    return new Map(
      report.testResults.map(({ name, status }) => [/mutants\/([^/]+)\//.exec(name)![1]!, status]),
    );
  } catch (error) {
    if (error instanceof SyntaxError || (error as { code?: string }).code === 'ENOENT') return null;
    throw error;
  }
}

function checkTarget(folder: string, target: string): { count: number; survivors: Mutant[] } {
  const code = readFileSync(join(root, 'src/targets', `${target}.ts`), 'utf8');
  const mutants = mutantsOf(code).filter((mutant) => !isHarmless(target, code, mutant));
  const ids = mutants.map((mutant, index) => {
    const id = `${target}-${index}`;
    writeMutant(folder, id, target, mutant);
    return id;
  });
  const noticed = new Set<string>();
  for (let start = 0; start < ids.length; start += batchSize) {
    for (const id of run(folder, ids.slice(start, start + batchSize))) noticed.add(id);
  }
  return { count: ids.length, survivors: mutants.filter((_, index) => !noticed.has(ids[index]!)) };
}

function main(targets: readonly string[]): void {
  const folder = prepareCopy();
  let survivorCount = 0;
  try {
    console.log('| target | mutants | noticed |\n|---|---|---|');
    for (const target of targets) {
      const { count, survivors } = checkTarget(folder, target);
      survivorCount += survivors.length;
      console.log(`| ${target} | ${count} | ${count - survivors.length} |`);
      for (const { line, change } of survivors)
        console.log(`  src/targets/${target}.ts:${line}: ${change}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exitCode = survivorCount > 0 ? 1 : 0;
}

const named = process.argv.slice(2);
main(named.length > 0 ? named : allTargets);
