/** Asks a real kernel anew: `npx tsx test/golden/record-fault-io.ts` after the cases have changed. A minute or two. */

import { askFaultIo } from '../kernel/fault-io.ts';
import { faultIoCases } from '../kernel/fault-io-cases.ts';
import { writeFaultIoAnswers } from './fault-io-answers.ts';

writeFaultIoAnswers(faultIoCases, await askFaultIo(faultIoCases));
