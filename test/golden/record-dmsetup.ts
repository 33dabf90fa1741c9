/** Asks a real kernel anew: `npx tsx test/golden/record-dmsetup.ts` after the scripts have changed. Some minutes. */

import { LoopDisks, runScriptsInKernel, scriptNames } from '../kernel/dmsetup-records.ts';
import { writeDmsetupAnswers } from './dmsetup-answers.ts';

using disks = new LoopDisks();
writeDmsetupAnswers(await runScriptsInKernel(scriptNames, disks));
