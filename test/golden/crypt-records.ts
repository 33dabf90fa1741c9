/** crypt.txt, read. */

import { readFileSync } from 'node:fs';
import { type CryptSpec, VARIANTS } from './crypt-cases.ts';

export interface Recorded extends CryptSpec {
  /** One for each of VARIANTS; null: refused. */
  fingerprints: (string | null)[];
  /** The kernel's words. */
  refusals: string[];
}

function parseRecord(line: string): Recorded {
  const [found = '', ...answers] = line.split(' | ');
  const [cipher = '', keyBytes, ...prints] = found.split(' ');
  const fingerprints = VARIANTS.map((_, index) => prints[index] ?? '-');
  return {
    cipher,
    keyBytes: Number(keyBytes),
    fingerprints: fingerprints.map((print) => (print === '-' ? null : print)),
    // Behind the errno.
    refusals: answers.map((answer) => answer.slice(answer.indexOf(' ') + 1)),
  };
}

export const records = readFileSync(new URL('./crypt.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map(parseRecord);
