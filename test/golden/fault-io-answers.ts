/** What a real kernel did for the cases of test/kernel/fault-io-cases.ts, kept so that ours can be checked without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FaultIoAnswer, FaultIoCase } from '../kernel/fault-io-cases.ts';

const file = fileURLToPath(new URL('./fault-io-answers.json', import.meta.url));

interface Kept {
  /** The case that was asked: an answer to another one is none. */
  asked: FaultIoCase;
  answer: FaultIoAnswer;
}

/** The answers to `cases`, in their order. */
export function readFaultIoAnswers(cases: readonly FaultIoCase[]): FaultIoAnswer[] {
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept[];
  const byQuestion = new Map(kept.map(({ asked, answer }) => [JSON.stringify(asked), answer]));
  return cases.map((each) => {
    const answer = byQuestion.get(JSON.stringify(each));
    if (answer !== undefined) return answer;
    throw new Error(
      `No kernel's answer is kept for ${JSON.stringify(each)}; npx tsx test/golden/record-fault-io.ts asks`,
    );
  });
}

export function writeFaultIoAnswers(
  cases: readonly FaultIoCase[],
  answers: readonly FaultIoAnswer[],
): void {
  const lines = cases.map((asked, index) => JSON.stringify({ asked, answer: answers[index] }));
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
}
