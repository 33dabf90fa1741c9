/** Programs as an ordinary user, wherever the checkout lies. */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const NOBODY = 65534;

/** Whether everybody may enter the folder and all those above it. */
function isOpenToAll(folder: string): boolean {
  const isOpen = (statSync(folder).mode & 0o001) !== 0;
  return isOpen && (dirname(folder) === folder || isOpenToAll(dirname(folder)));
}

/** In front of a command: it runs as nobody, who may at most read what others may not, to reach a checkout below /root. */
export function asNobody(): string[] {
  const identity = ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups'];
  const reach = ['--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search'];
  const here = dirname(fileURLToPath(import.meta.url));
  return ['setpriv', ...identity, ...(isOpenToAll(here) ? [] : reach)];
}
