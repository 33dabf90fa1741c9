/** Sockets that systemd listens on for us (sd_listen_fds(3)): the daemon starts with the first client. */

import { DmError } from '../base/errors.ts';

export interface ActivatedSockets {
  control: number | null;
  nbd: number | null;
}

const FIRST_DESCRIPTOR = 3;

/**
 * Null: nobody handed sockets to this process. `FileDescriptorName=` says which is which; a single one without a name is
 * `control`. Throws EINVAL for names that mean nothing here.
 */
export function activatedSockets(
  environment: NodeJS.ProcessEnv = process.env,
  pid: number = process.pid,
): ActivatedSockets | null {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment;
  if (LISTEN_FDS === undefined || LISTEN_PID !== String(pid)) return null;
  const count = Number(LISTEN_FDS);
  if (!Number.isInteger(count) || count < 1 || count > 16) {
    throw new DmError('EINVAL', `Cannot take sockets over: LISTEN_FDS is "${LISTEN_FDS}"`);
  }
  const names = LISTEN_FDNAMES.split(':');
  const sockets: ActivatedSockets = { control: null, nbd: null };
  for (let index = 0; index < count; index += 1) {
    const name = socketName(names[index] ?? '', count);
    if (sockets[name] !== null) {
      throw new DmError('EINVAL', `Cannot take sockets over: two are named "${name}"`);
    }
    sockets[name] = FIRST_DESCRIPTOR + index;
  }
  return sockets;
}

function socketName(name: string, count: number): keyof ActivatedSockets {
  if (name === 'control' || name === 'nbd') return name;
  const isUnnamed = name === '' || name === 'unknown' || name.endsWith('.socket');
  if (count === 1 && isUnnamed) return 'control';
  const expected = 'expected FileDescriptorName=control or FileDescriptorName=nbd';
  throw new DmError('EINVAL', `Cannot take the socket "${name}" over: ${expected}`);
}
