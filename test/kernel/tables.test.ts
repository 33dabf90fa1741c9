import { beforeAll, describe, expect, test } from 'vitest';
import { readTableAnswers } from '../golden/table-answers.ts';
import { type CaseRecord, runCaseHere, runCasesInKernel } from './dmsetup-twin.ts';
import { requireKernel } from './kernel.ts';
import type { TableCase } from './table-scripts.ts';
import { allCases, badCases, goodCases } from './tables.ts';
import { itemsOfTurn } from './turns.ts';

const TURNS = 18;

/** What the kernel's log says about a refusal, without its prefixes and without what we word otherwise. */
function kernelWords(log: string): string {
  const lines = log.split('\n').filter((text) => !text.includes('alignment inconsistency'));
  const line = lines.find((text) => /device-mapper: (table|ioctl|switch|log-writes): /.test(text));
  return (line ?? '')
    .replace(/^device-mapper: (?:table|ioctl|switch|log-writes): /, '')
    .replace(/^dm:\d+: /, '')
    .replace(/ \(-E[A-Z]+\)$/, '')
    .replace(/^table line \d+ /, '')
    .replace(/^(invalid set_region_mappings (?:argument|cycle length)): .*/, '$1')
    .replace(/\.$/, '');
}

function nameOf({ steps }: TableCase): string {
  return steps
    .map(({ run, text }) => (run === 'create' ? JSON.stringify(text) : `${run} ${text ?? ''}`))
    .join('; ');
}

/** All that must be the same. */
function comparable({ steps, ...rest }: CaseRecord) {
  return { ...rest, results: steps.map(({ result }) => result) };
}

test('the list is long enough', () => {
  expect(goodCases.length).toBeGreaterThanOrEqual(40);
  expect(badCases.length).toBeGreaterThanOrEqual(100);
});

requireKernel()('tables in the real kernel', () => {
  test('the answers kept in test/golden are the kernel’s', async () => {
    const asked = itemsOfTurn(allCases, TURNS);
    expect(await runCasesInKernel(asked)).toEqual(readTableAnswers(asked));
  }, 1_200_000);
});

describe('tables in the real kernel and here', () => {
  const kernel = readTableAnswers(allCases);

  test('good ones are good there, bad ones bad', () => {
    const results = (cases: readonly TableCase[]) =>
      cases
        .map((each) => [nameOf(each), kernel[allCases.indexOf(each)]!.steps[0]!.result])
        .map(([name, result]) => `${result === 'ok' ? 'ok' : 'refused'}: ${name}`);
    expect(results(goodCases)).toEqual(goodCases.map((each) => `ok: ${nameOf(each)}`));
    expect(results(badCases)).toEqual(badCases.map((each) => `refused: ${nameOf(each)}`));
  });

  describe.each(allCases.map((each, index) => [nameOf(each), each, index] as const))(
    '%s',
    (_, tableCase, index) => {
      let here: CaseRecord;
      beforeAll(async () => {
        here = await runCaseHere(tableCase);
      });

      if (tableCase.differs !== undefined) {
        test(`differs: ${tableCase.differs}`, () => {
          const there = kernel[index]!;
          const words = there.steps.map(({ reason }) => kernelWords(reason));
          const ours = here.steps.map(({ reason }) => reason);
          const isSame = words.every((text, step) => ours[step]!.includes(text));
          expect({ ...comparable(here), isSame }).not.toEqual({
            ...comparable(there),
            isSame: true,
          });
        });
        return;
      }
      test('same answers, table, status, limits and content', () => {
        expect(comparable(here)).toEqual(comparable(kernel[index]!));
      });
      test('the same words', () => {
        for (const [step, { result, reason }] of kernel[index]!.steps.entries()) {
          if (result !== 'ok' && result !== 'unreadable') {
            expect(here.steps[step]!.reason).toContain(kernelWords(reason));
          }
        }
      });
    },
  );
});
