/** Asks a real kernel anew: `npx tsx test/golden/record-tables.ts` after the tables have changed. Two minutes. */

import { runCasesInKernel } from '../kernel/dmsetup-twin.ts';
import { allCases } from '../kernel/tables.ts';
import { writeTableAnswers } from './table-answers.ts';

writeTableAnswers(allCases, await runCasesInKernel(allCases));
