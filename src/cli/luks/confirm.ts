/** The question before something is lost. Asked at a terminal only, as cryptsetup does; `--batch-mode` skips it. */

import { CommandError } from '../failure.ts';
import { type PassphraseHost, processHost } from './passphrase.ts';

export interface Confirmation {
  /** What will happen to what, a line each: `This will overwrite data on disk.img irrevocably.` */
  warning: readonly string[];
  batchMode: boolean;
}

/** Throws CommandError, status 1, unless the answer is YES. */
export async function confirm(
  { warning, batchMode }: Confirmation,
  host: PassphraseHost = processHost,
): Promise<void> {
  if (batchMode || !host.stdinIsTerminal()) return;
  const text = ['', 'WARNING!', '========', ...warning, '', ''].join('\n');
  const question = "Are you sure? (Type 'yes' in capital letters): ";
  const answer = await host.terminal.askLine(`${text}${question}`);
  if (answer !== 'YES') {
    throw new CommandError('Operation aborted.', { details: ['nothing was changed'] });
  }
}
