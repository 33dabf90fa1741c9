/** What a real kernel answered to the tables of test/kernel/tables.ts, kept so that ours can be checked without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CaseRecord } from '../kernel/dmsetup-twin.ts';
import type { TableCase } from '../kernel/table-scripts.ts';

interface TableAnswer {
  /** The case that was asked: an answer to another one is none. */
  asked: TableCase['steps'];
  record: CaseRecord;
}

const file = fileURLToPath(new URL('./table-answers.json', import.meta.url));

function readAnswers(): Map<string, CaseRecord> {
  const answers = JSON.parse(readFileSync(file, 'utf8')) as TableAnswer[];
  return new Map(answers.map(({ asked, record }) => [JSON.stringify(asked), record]));
}

/** Those that nothing is kept of. */
export function unanswered(cases: readonly TableCase[]): TableCase[] {
  const byQuestion = readAnswers();
  return cases.filter(({ steps }) => !byQuestion.has(JSON.stringify(steps)));
}

/** The answers to `cases`, in their order. */
export function readTableAnswers(cases: readonly TableCase[]): CaseRecord[] {
  const byQuestion = readAnswers();
  return cases.map(({ steps }) => {
    const question = JSON.stringify(steps);
    const record = byQuestion.get(question);
    if (record !== undefined) return record;
    throw new Error(
      `No kernel's answer is kept for ${question}; npx tsx test/golden/record-tables.ts asks`,
    );
  });
}

/** Keeps answers to `cases`, those to `asked` as they are now; what nobody asks any more is dropped. */
export function writeTableAnswers(
  cases: readonly TableCase[],
  asked: readonly TableCase[],
  records: readonly CaseRecord[],
): void {
  const byQuestion = readAnswers();
  for (const [index, { steps }] of asked.entries()) {
    byQuestion.set(JSON.stringify(steps), records[index]!);
  }
  const lines = cases.map(({ steps }) =>
    JSON.stringify({ asked: steps, record: byQuestion.get(JSON.stringify(steps)) }),
  );
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
}
