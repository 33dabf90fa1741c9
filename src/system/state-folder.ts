/** Where sockets, the log and the mount live, and what they are called: a contract, see docs/daemon.md. */

import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** `$DEVMAPPER_DIR`, else `$XDG_RUNTIME_DIR/devmapper`, for root `/run/devmapper`, else `~/.devmapper`. */
export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['DEVMAPPER_DIR'];
  if (own) return own;
  const runtime = environment['XDG_RUNTIME_DIR'];
  if (runtime) return join(runtime, 'devmapper');
  if (process.getuid?.() === 0) return '/run/devmapper';
  return join(environment['HOME'] ?? homedir(), '.devmapper');
}

/** The paths inside a state folder, absolute. */
export function statePaths(folder: string = stateFolder()) {
  const root = resolve(folder);
  return {
    folder: root,
    /** The dm-ioctl socket. */
    control: join(root, 'control'),
    nbd: join(root, 'nbd.sock'),
    /** The FUSE mount. */
    mapper: join(root, 'mapper'),
    log: join(root, 'log'),
    /** Locked for as long as a daemon lives; holds its process id. */
    lock: join(root, 'lock'),
  };
}

export type StatePaths = ReturnType<typeof statePaths>;

/** Makes the folder, for its owner alone. */
export function makeStateFolder(paths: StatePaths): void {
  mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
}
