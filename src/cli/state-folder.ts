/** Where sockets live. */

import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { because, CommandError } from './failure.ts';

const OWNER_ONLY = 0o700;

/** `$DEVMAPPER_DIR`, else `$XDG_RUNTIME_DIR/devmapper`, for root `/run/devmapper`, else `~/.devmapper`. */
export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['DEVMAPPER_DIR'];
  if (own) return own;
  const runtime = environment['XDG_RUNTIME_DIR'];
  if (runtime) return join(runtime, 'devmapper');
  if (process.getuid?.() === 0) return '/run/devmapper';
  return join(environment['HOME'] ?? homedir(), '.devmapper');
}

/**
 * Makes the folder, for its owner alone, if it is missing. One that is there keeps its mode: it may be `/tmp`, and sockets
 * in it are for their owner alone anyway.
 */
export function prepareStateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: OWNER_ONLY });
  } catch (error) {
    throw new CommandError(`Cannot use ${path} for sockets: ${because(error)}`, {
      details: ['Set DEVMAPPER_DIR to a folder of yours, or give --socket PATH'],
      cause: error,
    });
  }
}
