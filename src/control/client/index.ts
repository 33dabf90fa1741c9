/** `connectClient`: one library for our daemon, for a real kernel, and for a world without either. */

import { stateFolder, statePaths } from '../../system/state-folder.ts';
import type { DmClient } from './dm-client.ts';
import { IoctlClient } from './ioctl-client.ts';
import type { Transport } from './transport.ts';

export interface ConnectOptions {
  /**
   * - `socket`: the daemon of `folder`; rejects with ENOENT or ECONNREFUSED when none runs
   * - `kernel`: the kernel of this machine, through /dev/mapper/control
   * - `local`: an empty mapper in this process
   *
   * Default: `kernel` when `$DEVMAPPER_BACKEND` is `kernel`, else `socket`.
   */
  transport?: 'socket' | 'kernel' | 'local';
  /** The daemon's state folder; default: `$DEVMAPPER_DIR` and so on. */
  folder?: string;
  /** Relative device paths in tables are relative to it; default: the current directory. */
  directory?: string;
}

/** Whether commands are for the kernel of this machine rather than for our daemon. */
export function defaultTransport(
  environment: NodeJS.ProcessEnv = process.env,
): 'socket' | 'kernel' {
  return environment['DEVMAPPER_BACKEND'] === 'kernel' ? 'kernel' : 'socket';
}

/**
 * A client; end it with `await using` or `client[Symbol.asyncDispose]()`. Rejects with `DmError`.
 *
 * @example
 * ```ts
 * import { connectClient } from 'devmapper/control-client';
 *
 * await using client = await connectClient();
 * await client.create({ name: 'disk' });
 * await client.load({ name: 'disk' }, [{ start: 0, length: 2048, type: 'linear', params: 'mem:1M 0' }]);
 * await client.resume({ name: 'disk' });
 * console.log((await client.list()).map(({ name }) => name));
 * ```
 */
export async function connectClient(options: ConnectOptions = {}): Promise<DmClient> {
  return new IoctlClient(await openTransport(options));
}

async function openTransport(options: ConnectOptions): Promise<Transport> {
  const { transport = defaultTransport(), directory = process.cwd() } = options;
  if (transport === 'kernel') return (await import('./kernel-transport.ts')).openKernel();
  if (transport === 'local')
    return (await import('../local/local-transport.ts')).openLocal(directory);
  const { connectSocket } = await import('./socket-transport.ts');
  const path = statePaths(options.folder ?? stateFolder()).control;
  return connectSocket({ path, directory });
}
