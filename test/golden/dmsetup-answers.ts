/** What dmsetup printed in a real kernel for the scripts of test/kernel/dmsetup-scripts, kept so that ours can be checked without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CommandRecord, Records } from '../kernel/dmsetup-records.ts';

const file = fileURLToPath(new URL('./dmsetup-answers.json', import.meta.url));

export function readDmsetupAnswers(): Records {
  const records = JSON.parse(readFileSync(file, 'utf8')) as CommandRecord[];
  return new Map(records.map((record) => [record.key, record]));
}

export function writeDmsetupAnswers(records: Records): void {
  const lines = [...records.values()].map((record) => JSON.stringify(record));
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
}
