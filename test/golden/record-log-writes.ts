/** Asks a real kernel anew: `npx tsx test/golden/record-log-writes.ts` after the jobs have changed. */

import { doInKernel } from '../kernel/device-kernel.ts';
import { logWritesJobNames, logWritesJobs } from '../kernel/log-writes-jobs.ts';
import { writeLogWritesAnswers } from './log-writes-answers.ts';

writeLogWritesAnswers(await doInKernel(logWritesJobNames.map((name) => logWritesJobs[name])));
