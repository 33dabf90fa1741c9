/** Lines and messages of the crypt target, against what a real kernel answered when `record-crypt-lines.ts` last asked it. */

import { expect, test } from 'vitest';
import { type CryptCase, cryptCases } from '../kernel/crypt-lines.ts';
import { runCryptCaseHere, type StepAnswer } from '../kernel/crypt-lines-twin.ts';
import { nameOf, packed, readCryptAnswers } from './crypt-lines-answers.ts';

const answers = readCryptAnswers();

test('there is an answer to each', () => {
  expect(Object.keys(answers)).toEqual(cryptCases.map(nameOf));
  expect(cryptCases.length).toBeGreaterThan(300);
});

/** What the kernel that was asked had no modules for. */
const LACKING =
  /crypt (capi:\w+\()?(serpent|twofish|camellia|aria|sm4|des3_ede|blowfish|cast5)|:rmd160|-tcw|gcm\(/;

/** What follows a refused load is about a device without a table. */
function comparable(steps: readonly StepAnswer[]) {
  const end = steps[0]!.result === 'ok' ? steps.length : 1;
  return steps.slice(0, end).map(({ result, text }) => ({ result, text }));
}

test.each(cryptCases.map((each) => [nameOf(each), each] as const))('%s', async (name, each) => {
  const here = (await runCryptCaseHere(each)).map(packed);
  const there = answers[name]!;
  if (each.differs !== undefined) {
    expect(differences(here, there, each), each.differs).not.toEqual([]);
    return;
  }
  if (there[0]!.result === 'ENOENT' && LACKING.test(name)) {
    expect(['ok', 'EINVAL', 'ENOENT']).toContain(here[0]!.result);
    return;
  }
  expect(comparable(here)).toEqual(comparable(there));
  expect(differences(here, there, each)).toEqual([]);
});

function differences(here: StepAnswer[], there: StepAnswer[], { steps }: CryptCase): string[] {
  return comparable(there).flatMap((answer, index) => {
    const own = here[index]!;
    const isSame = own.result === answer.result && own.text === answer.text;
    const hasWords = own.words.includes(there[index]!.words);
    return isSame && hasWords ? [] : [`${steps[index]!.slice(0, 40)}: ${there[index]!.words} / ${own.words}`];
  });
}
