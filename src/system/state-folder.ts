/** Where sockets, the log and the mount live, and what they are called: a contract, see docs/daemon.md. */

import { mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { DmError, type ErrnoName, errnoName, errnoOf } from '../base/errors.ts';

const OTHERS_WRITE = 0o022;

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

/** Makes the folder, for its owner alone. Throws DmError: EACCES for one in which others could put something for us. */
export function makeStateFolder(paths: StatePaths): void {
  const { folder } = paths;
  try {
    makeFolders(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' || code === 'ENOTDIR' ? 'something else is there' : code;
    const name = errnoName(errnoOf(error)) as ErrnoName;
    throw new DmError(name, `Cannot make the state folder ${folder}: ${reason}`, { cause: error });
  }
  checkOurs(folder);
}

/** Not mkdir's own `recursive`: below /proc that never comes to an end. */
function makeFolders(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolders(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    const isThere = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
    // Somebody else that starts at the same time made it.
    if (!isThere) throw error;
  }
}

/** Sockets, lock and log are what others must neither replace nor lead elsewhere. */
function checkOurs(folder: string): void {
  const uid = process.geteuid?.();
  if (uid === undefined) return;
  const { uid: owner, mode } = statSync(folder);
  if (owner !== uid) {
    const whose = `it belongs to user ${owner}, expected user ${uid}`;
    throw new DmError('EACCES', `Cannot use the state folder ${folder}: ${whose}`);
  }
  if ((mode & OTHERS_WRITE) !== 0) {
    const octal = (mode & 0o7777).toString(8).padStart(4, '0');
    const advice = `others may write to it (mode ${octal}); say "chmod 700 ${folder}"`;
    throw new DmError('EACCES', `Cannot use the state folder ${folder}: ${advice}`);
  }
}
