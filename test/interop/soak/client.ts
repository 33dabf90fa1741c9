/**
 * One client of a soak, a process that will be killed: `client.ts SEED FOLDER`. Sends random commands until then, and tells
 * its parent now and then how many were answered, or what went wrong.
 */

import { sleep, systemClock } from '../../../src/base/clock.ts';
import { createPrng } from '../../../src/base/prng.ts';
import { connectClient } from '../../../src/control/client/index.ts';
import { perform, randomCommand, type SoakCommand } from './commands.ts';

export type SoakMessage =
  | { kind: 'progress'; outcomes: Record<string, number>; slowestMs: number }
  | { kind: 'failure'; reason: string };

const ANSWER_LIMIT_MS = 30_000;
const REPORT_MS = 250;

let outcomes: Record<string, number> = {};
let slowestMs = 0;

function tell(message: SoakMessage): void {
  process.send?.(message);
}

function report(): void {
  tell({ kind: 'progress', outcomes, slowestMs });
  outcomes = {};
}

/** Its outcome; a command that is not answered in time is what a soak looks for. */
async function timed(run: Promise<string>, { text }: SoakCommand): Promise<string> {
  const startedMs = systemClock.nowMs();
  const timer = systemClock.after(ANSWER_LIMIT_MS, () => {
    tell({ kind: 'failure', reason: `no answer after ${ANSWER_LIMIT_MS} ms: ${text}` });
  });
  try {
    return await run;
  } finally {
    timer.cancel();
    slowestMs = Math.max(slowestMs, systemClock.nowMs() - startedMs);
  }
}

async function main(seed: number, folder: string): Promise<void> {
  const prng = createPrng(seed);
  await using client = await connectClient({ transport: 'socket', folder, directory: folder });
  let reportedMs = systemClock.nowMs();
  for (;;) {
    const command = randomCommand(prng);
    const outcome = await timed(perform(command, client), command);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (systemClock.nowMs() - reportedMs > REPORT_MS) {
      report();
      reportedMs = systemClock.nowMs();
      await sleep(systemClock, 0);
    }
  }
}

main(Number(process.argv[2]), process.argv[3]!).catch((error: unknown) => {
  tell({ kind: 'failure', reason: error instanceof Error ? error.message : String(error) });
});
// The parent is gone: so is the reason to go on.
process.on('disconnect', () => process.exit());
