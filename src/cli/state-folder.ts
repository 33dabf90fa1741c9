/** Where sockets live. */

import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$DEVMAPPER_DIR`, else `$XDG_RUNTIME_DIR/devmapper`, for root `/run/devmapper`, else `~/.devmapper`. */
export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['DEVMAPPER_DIR'];
  if (own) return own;
  const runtime = environment['XDG_RUNTIME_DIR'];
  if (runtime) return join(runtime, 'devmapper');
  if (process.getuid?.() === 0) return '/run/devmapper';
  return join(environment['HOME'] ?? homedir(), '.devmapper');
}
