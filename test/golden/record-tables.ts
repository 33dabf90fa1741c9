/** Asks a real kernel: `npx tsx test/golden/record-tables.ts` all tables anew, in two minutes; with `--new` only those that it never answered. */

import { runCasesInKernel } from '../kernel/dmsetup-twin.ts';
import { allCases } from '../kernel/tables.ts';
import { unanswered, writeTableAnswers } from './table-answers.ts';

const asked = process.argv.includes('--new') ? unanswered(allCases) : allCases;
writeTableAnswers(allCases, asked, await runCasesInKernel(asked));
