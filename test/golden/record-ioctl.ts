/** Asks a real kernel anew: `npx tsx test/golden/record-ioctl.ts` after the cases have changed. */

import { ioctlCases } from '../kernel/ioctl-cases.ts';
import { runIoctlsInKernel } from '../kernel/ioctl-twin.ts';
import { recordAnswer, writeAnswers } from './ioctl-answers.ts';

const results = await runIoctlsInKernel(ioctlCases);
writeAnswers(ioctlCases.map((each, index) => recordAnswer(each, results[index]!)));
