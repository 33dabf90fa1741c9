/** The check between entries: somebody else's command, run by the shell. */

import { spawn } from 'node:child_process';
import { CommandError } from '../failure.ts';

/** It found something wrong, as against: something could not be done. */
const CHECK_FAILED_STATUS = 3;
/** Of a shell that found no such program, or none that it may run. */
const NOT_RUN_STATUSES: readonly (number | null)[] = [126, 127];

interface CheckRun {
  command: string;
  /** What it looks at. */
  image: string;
  /** The last one that was replayed. */
  entry: number;
  /** Where what it prints goes: our own standard output may be for programs. */
  output: 'stdout' | 'stderr';
}

export interface FailedCheck {
  entry: number;
  /** `ended with status 4` */
  reason: string;
}

/** null: all is well. Throws a CommandError when it cannot be run. */
export async function runCheck(run: CheckRun): Promise<FailedCheck | null> {
  const { command, entry } = run;
  const { status, signal } = await spawnCheck(run);
  if (status === 0) return null;
  const reason = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
  if (!NOT_RUN_STATUSES.includes(status)) return { entry, reason };
  throw new CommandError(`Cannot run the check "${command}": it ${reason}`, {
    details: ['that is what a shell says when there is no such program, or none it may run'],
  });
}

interface Ending {
  status: number | null;
  signal: NodeJS.Signals | null;
}

function spawnCheck({ command, image, entry, output }: CheckRun): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, DEVMAPPER_REPLAY: image, DEVMAPPER_ENTRY: String(entry) };
    const child = spawn(command, {
      shell: true,
      stdio: ['ignore', output === 'stdout' ? 'inherit' : 2, 'inherit'],
      env,
    });
    child.on('error', reject);
    child.on('exit', (status, signal) => resolve({ status, signal }));
  });
}

/** `entryText`: the entry, as the list has it. */
export function checkError(
  { command, image }: Pick<CheckRun, 'command' | 'image'>,
  { entry, reason }: FailedCheck,
  entryText: string,
): CommandError {
  return new CommandError(`Fsck errored out on entry ${entry}: "${command}" ${reason}`, {
    status: CHECK_FAILED_STATUS,
    details: [
      `the entry: ${entryText}`,
      `"${image}" is as it was then; onto an image as the logged disk began, --limit ${entry + 1} makes it so again`,
    ],
  });
}
