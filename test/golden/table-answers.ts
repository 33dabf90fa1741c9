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

/** The answers to `cases`, in their order. */
export function readTableAnswers(cases: readonly TableCase[]): CaseRecord[] {
  const answers = JSON.parse(readFileSync(file, 'utf8')) as TableAnswer[];
  const byQuestion = new Map(answers.map(({ asked, record }) => [JSON.stringify(asked), record]));
  return cases.map(({ steps }) => {
    const question = JSON.stringify(steps);
    const record = byQuestion.get(question);
    if (record !== undefined) return record;
    throw new Error(
      `No kernel's answer is kept for ${question}; npx tsx test/golden/record-tables.ts asks`,
    );
  });
}

export function writeTableAnswers(
  cases: readonly TableCase[],
  records: readonly CaseRecord[],
): void {
  const lines = cases.map(({ steps }, index) =>
    JSON.stringify({ asked: steps, record: records[index] }),
  );
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
}
