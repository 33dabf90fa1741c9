/** What a real kernel answered to the crypt cases, kept so that they can be checked without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CryptCase, cryptCases } from '../kernel/crypt-lines.ts';
import type { StepAnswer } from '../kernel/crypt-lines-twin.ts';

const file = fileURLToPath(new URL('./crypt-lines-answers.json', import.meta.url));

/** Keys shortened: they are the same in all cases. */
export function nameOf({ steps }: CryptCase): string {
  return steps[0]!.startsWith('load') && steps.at(-1) === 'limits'
    ? shortened(steps[0]!)
    : shortened(steps.join('; '));
}

function shortened(text: string): string {
  return text.replace(/\b[0-9a-f]{16,}/gi, (hex) => `${hex.slice(0, 4)}(${hex.length / 2})`);
}

export function readCryptAnswers(): Record<string, StepAnswer[]> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, StepAnswer[]>;
}

export function writeCryptAnswers(answers: readonly StepAnswer[][]): void {
  const lines = answers.map(
    (steps, index) => `${JSON.stringify(nameOf(cryptCases[index]!))}: ${JSON.stringify(steps.map(packed))}`,
  );
  writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`);
}

/** Long keys take no room twice. */
export function packed({ result, text, words }: StepAnswer): StepAnswer {
  return { result, text: shortened(text), words };
}
