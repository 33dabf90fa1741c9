/** Unix socket paths: in use, left behind by a server that died, or free. */

import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { DmError } from '../base/errors.ts';

/** Whether some server listens there. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (served: boolean) => {
      socket.destroy();
      resolve(served);
    };
    socket.once('connect', () => answer(true));
    // ENOENT and ECONNREFUSED: nobody. Anything else (EACCES, EAGAIN ...): somebody who does not want us.
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      answer(code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'ENOTSOCK'),
    );
  });
}

/** Removes what a dead server left at `path`; throws when a live one is there, or something that is no socket. */
export async function clearSocketPath(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (!status) return;
  if (!status.isSocket()) {
    throw new DmError('EEXIST', `Cannot listen on ${path}: something that is no socket is there`);
  }
  if (await isServed(path)) {
    throw new DmError('EBUSY', `Cannot listen on ${path}: another program listens there already`);
  }
  rmSync(path, { force: true });
}
