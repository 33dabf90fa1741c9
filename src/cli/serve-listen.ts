/** Where and how to listen, from the options of `devmapper serve`. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServeNbdOptions } from '../mapper/serve-nbd.ts';
import { isServed } from '../mapper/socket-path.ts';
import { parseAddress } from './address.ts';
import { because, CommandError, usageError } from './failure.ts';
import type { ServeOptions } from './serve-command.ts';
import { prepareStateFolder, stateFolder } from './state-folder.ts';

export async function listenOptions(options: ServeOptions): Promise<ServeNbdOptions> {
  const socketPath = await chooseSocket(options);
  const address = options.listen === undefined ? null : parseAddress(options.listen);
  const tls = tlsOptions(options);
  return {
    readOnly: options.readOnly ?? false,
    workers: options.workers,
    ...(socketPath !== null && { socketPath }),
    ...(address && { host: address.host, port: address.port }),
    ...(tls && { tls }),
    ...(options.maxConnections !== undefined && { maxConnections: options.maxConnections }),
    ...(options.spin !== undefined && { spinMicroseconds: options.spin }),
  };
}

/** What was asked for; else none where TCP was; else `nbd.sock`, or a name of our own where that is taken. */
async function chooseSocket({ socket, listen }: ServeOptions): Promise<string | null> {
  if (socket !== undefined) return socket;
  if (listen !== undefined) return null;
  const folder = stateFolder();
  prepareStateFolder(folder);
  const usual = join(folder, 'nbd.sock');
  return (await isServed(usual)) ? join(folder, `nbd-${process.pid}.sock`) : usual;
}
