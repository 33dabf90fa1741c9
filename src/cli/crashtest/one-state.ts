/** `crashtest --state`: one state again, for the check, as an image, or to look at. */

import { parseState } from '../../crashtest/crash-state.ts';
import { saveRawImage } from '../../crashtest/raw-image.ts';
import type { Stage } from '../../crashtest/stage.ts';
import { StateDisk } from '../../crashtest/state-disk.ts';
import type { StateImages } from '../../crashtest/state-image.ts';
import type { CrashtestOptions } from './crashtest-command.ts';
import { runCommand } from './run-command.ts';
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
  const status = await runCommand(check, {
    environment: { ...environment, ...(mark !== null && { DEVMAPPER_MARK: mark }) },
    stdio: 'inherit',
    signal,
  });
  const how = typeof status === 'number' ? `status ${status}` : status;
  process.stderr.write(`The check ended with ${how}\n`);
  if (signal.aborted || status === 126 || status === 127) return COULD_NOT_RUN;
  return status === 0 ? 0 : 1;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
