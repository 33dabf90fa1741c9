/** `crashtest --state`: one state again, for the check, as an image, or to look at. */

import { spawn } from 'node:child_process';
import { parseState } from '../../crashtest/crash-state.ts';
import { saveRawImage } from '../../crashtest/raw-image.ts';
import type { Stage } from '../../crashtest/stage.ts';
import { StateDisk } from '../../crashtest/state-disk.ts';
import type { StateImages } from '../../crashtest/state-image.ts';
import type { CrashtestOptions } from './crashtest-command.ts';
import { COULD_NOT_RUN, diskEnvironment } from './source.ts';

/** Resolves with the exit status: 1 when the check fails. */
export async function bringBack(
  { check, save }: CrashtestOptions,
  word: string,
  { stage, images, signal }: { stage: Stage; images: StateImages; signal: AbortSignal },
): Promise<number> {
  const state = parseState(images.windows, word);
  const image = images.build(state);
  if (save !== undefined) await saveRawImage(image, save);
  if (save !== undefined && check === undefined) return 0;
  const disk = new StateDisk({ sizeSectors: image.sizeSectors, operand: 'state' });
  disk.insert(image);
  const staged = await stage.add('state', disk);
  const mark = images.windows.markBefore(state.point);
  if (check === undefined) {
    const lines = [staged.uri, staged.path, mark === null ? null : `after the mark "${mark}"`];
    process.stdout.write(`${lines.filter((line) => line !== null).join('\n')}\n`);
    await aborted(signal);
    return 0;
  }
  const environment = { ...diskEnvironment(staged), DEVMAPPER_STATE: word };
  return await runCheck(check, {
    ...environment,
    ...(mark !== null && { DEVMAPPER_MARK: mark }),
  });
}

async function runCheck(command: string, env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn('/bin/sh', ['-c', command], { stdio: 'inherit', env });
  const status = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
  process.stderr.write(`The check ended with status ${status}\n`);
  if (status === 126 || status === 127) return COULD_NOT_RUN;
  return status === 0 ? 0 : 1;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
