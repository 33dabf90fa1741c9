/** `devmapper watch`: asks the daemon again and again, and draws what changed. */

import { systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import type { DmClient } from '../control/client/dm-client.ts';
import { connectClient } from '../control/client/index.ts';
import type { DevicesAnswer } from '../daemon/devices-method.ts';
import { CommandError } from './failure.ts';
import { PLAIN, terminalStyle } from './style.ts';
import type { WatchOptions } from './watch-command.ts';
import { frameLines, frameObject } from './watch-frame.ts';
import { ratesBetween } from './watch-rates.ts';
import { WatchScreen } from './watch-screen.ts';

const MS_PER_S = 1000;
const DEFAULT_COLUMNS = 120;

interface Sample {
  answer: DevicesAnswer;
  atMs: number;
}

export async function watch({ interval, once = false, json = false }: WatchOptions): Promise<void> {
  await using client = await connect();
  const isLive = !once && !json && process.stdout.isTTY;
  const isEndless = isLive || (json && !once);
  using screen = isLive ? new WatchScreen(process.stdin, process.stdout) : null;
  let before = await sample(client);
  do {
    if (await endsWithin(interval * MS_PER_S, screen)) return;
    const now = await sample(client);
    show(before, now, json, screen);
    before = now;
  } while (isEndless && process.stdout.writable);
}

/** Waits; true as soon as the user wants to leave. */
async function endsWithin(delayMs: number, screen: WatchScreen | null): Promise<boolean> {
  return await new Promise((resolve) => {
    const timer = systemClock.after(delayMs, () => resolve(false));
    void screen?.ended.then(() => {
      timer.cancel(); // or it would keep the process
      resolve(true);
    });
  });
}

function show(before: Sample, now: Sample, json: boolean, screen: WatchScreen | null): void {
  const intervalMs = now.atMs - before.atMs;
  const rates = ratesBetween(before.answer, now.answer, intervalMs);
  if (json) {
    const wallMs = systemClock.wallMs();
    print(JSON.stringify(frameObject(now.answer, rates, { wallMs, intervalMs })));
  } else if (screen !== null) {
    screen.draw((size) => frameLines(now.answer, rates, size, terminalStyle()));
  } else {
    const columns = process.stdout.columns || DEFAULT_COLUMNS;
    for (const line of frameLines(now.answer, rates, { columns, lines: null }, PLAIN)) print(line);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function connect(): Promise<DmClient> {
  try {
    return await connectClient({ transport: 'socket' });
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    const details = ['"devmapper daemon start" starts one, and so does the first "create"'];
    throw new CommandError(`Nothing to watch: ${error.message}`, { details, cause: error });
  }
}

async function sample(client: DmClient): Promise<Sample> {
  const answer = (await client.daemon('devices')) as DevicesAnswer;
  return { answer, atMs: systemClock.nowMs() };
}
