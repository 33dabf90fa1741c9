/** `devmapper watch`: its words and its help. The work is in watch.ts, loaded when asked for. */

import { type Command, InvalidArgumentError } from 'commander';

export interface WatchOptions {
  /** Seconds. */
  interval: number;
  once?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Reads and writes a second, mean time of those that ended, requests under way. q or Ctrl-C ends it. Where standard output is no
terminal, one frame is printed.

Examples:
  devmapper watch --interval 0.5
  devmapper watch --once
  devmapper watch --json | jq '.devices[] | select(.inFlight > 0)'`;

export function addWatchCommand(program: Command): void {
  program
    .command('watch')
    .description('show live what happens on each device')
    .option('-i, --interval <seconds>', 'time between frames', seconds, 1)
    .option('--once', 'one frame, after one interval')
    .option('--json', 'a line of JSON for each frame')
    .addHelpText('after', EXAMPLES)
    .action(async (options: WatchOptions) => {
      const { watch } = await import('./watch.ts');
      await watch(options);
    });
}

const LEAST_SECONDS = 0.05;
const MOST_SECONDS = 86_400;

function seconds(text: string): number {
  const value = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= LEAST_SECONDS && value <= MOST_SECONDS) return value;
  throw new InvalidArgumentError(`expected ${LEAST_SECONDS} to ${MOST_SECONDS} seconds.`);
}
