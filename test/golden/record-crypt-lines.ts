/** Asks a real kernel anew: `npx tsx test/golden/record-crypt-lines.ts` after the cases have changed. */

import { cryptCases } from '../kernel/crypt-lines.ts';
import { runCryptLinesInKernel } from '../kernel/crypt-lines-twin.ts';
import { writeCryptAnswers } from './crypt-lines-answers.ts';

writeCryptAnswers(await runCryptLinesInKernel(cryptCases));
