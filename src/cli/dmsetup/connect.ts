/**
 * The device mapper that a command talks to: our daemon; without one an empty mapper in this process, which answers as an empty kernel
 * does; or this kernel's own, with --kernel or $DEVMAPPER_BACKEND=kernel.
 */

import { DmError } from '../../base/errors.ts';
import type { DmClient } from '../../control/client/dm-client.ts';
import { commandFailed, reasonLine } from './failure.ts';
import type { DmsetupOptions } from './options.ts';

export interface ConnectOptions {
  /** This kernel's device mapper. */
  kernel?: boolean;
  /** Start a daemon where none runs: for commands that make devices. */
  start?: boolean;
}

export async function openClient(options: ConnectOptions = {}): Promise<DmClient> {
  const { connectClient } = await import('../../control/client/index.ts');
  if (options.kernel || process.env['DEVMAPPER_BACKEND'] === 'kernel') {
    return connectClient({ transport: 'kernel' });
  }
  if (options.start) {
    const { ensureDaemon } = await import('../../daemon/ensure-daemon.ts');
    await ensureDaemon();
    return connectClient({ transport: 'socket' });
  }
  try {
    return await connectClient({ transport: 'socket' });
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return connectClient({ transport: 'local' });
  }
}

/** No daemon: there is no socket, or nobody listens at it. */
function isAbsent(error: unknown): boolean {
  return error instanceof DmError && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED');
}

/** Runs with a client and closes it. That there is none to be had is a failure in dmsetup's form. */
export async function withClient<T>(
  { kernel = false }: DmsetupOptions,
  run: (client: DmClient) => Promise<T>,
  { start = false }: Pick<ConnectOptions, 'start'> = {},
): Promise<T> {
  await using client = await openClientOrFail({ kernel, start });
  return await run(client);
}

async function openClientOrFail(options: ConnectOptions): Promise<DmClient> {
  try {
    return await openClient(options);
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    const line = 'Failure to communicate with the device mapper.';
    throw commandFailed([line, reasonLine(error.message)], error);
  }
}
