/** Where and how to listen, from the options of `devmapper serve`. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parsePskFile, type TlsOptions } from '../exports/nbd/tls.ts';
import type { ServeNbdOptions } from '../mapper/serve-nbd.ts';
import { stateFolder } from '../system/state-folder.ts';
import { parseAddress } from './address.ts';
import { because, CommandError, usageError } from './failure.ts';
import type { ServeOptions } from './serve-command.ts';

export function listenOptions(options: ServeOptions): ServeNbdOptions {
  const { readOnly = false, maxConnections, spin } = options;
  const threads = options.workers ? options.threads : false;
  const socketPath = chooseSocket(options);
  return {
    readOnly,
    ...networkOptions(options),
    ...(socketPath && { socketPath }),
    ...(maxConnections !== undefined && { limits: { maxConnectionCount: maxConnections } }),
    ...(threads !== undefined && { threads }),
    ...(spin !== undefined && { spinMicroseconds: spin }),
  };
}

/** What `serve` and `daemon` have in common. */
export type NetworkWords = Pick<
  ServeOptions,
  'listen' | 'insecure' | 'tlsCert' | 'tlsKey' | 'tlsCa' | 'tlsPsk' | 'tlsVerifyPeer'
>;

/** TCP and TLS. */
export function networkOptions(options: NetworkWords): Omit<ServeNbdOptions, 'socketPath'> {
  const { insecure = false, listen } = options;
  return {
    insecure,
    ...tlsOptions(options),
    ...(listen !== undefined && parseAddress(listen)),
  };
}

/** What was asked for; else none where TCP was; else `nbd.sock`, or a name of our own where that is taken. */
function chooseSocket({ socket, listen }: ServeOptions): string | readonly string[] | null {
  if (socket !== undefined) return socket;
  if (listen !== undefined) return null;
  const folder = stateFolder();
  return [join(folder, 'nbd.sock'), join(folder, `nbd-${process.pid}.sock`)];
}

function tlsOptions(options: NetworkWords): Pick<ServeNbdOptions, 'tls' | 'clientTls'> {
  const certificate = certificateOptions(options);
  const psk = options.tlsPsk === undefined ? null : pskOptions(options.tlsPsk);
  if (!certificate && !psk) return {};
  return {
    tls: { ...(certificate && { certificate }), ...(psk && { psk: psk.keys }) },
    ...(psk && { clientTls: psk.clientTls }),
  };
}

function certificateOptions(options: NetworkWords): TlsOptions['certificate'] | null {
  const { tlsCert, tlsKey, tlsCa, tlsVerifyPeer } = options;
  if (tlsCert === undefined && tlsKey === undefined) {
    if (tlsCa === undefined && tlsVerifyPeer === undefined) return null;
    throw usageError('Cannot verify clients without a certificate: expected --tls-cert, --tls-key');
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    throw usageError('Cannot use TLS: --tls-cert and --tls-key belong together');
  }
  if (tlsVerifyPeer && tlsCa === undefined) {
    throw usageError('Cannot verify clients: expected --tls-ca, the authority that signs them');
  }
  return {
    certificate: readKeys(tlsCert),
    key: readKeys(tlsKey),
    ...(tlsCa !== undefined && {
      clientAuthority: readKeys(tlsCa),
      verifyClients: tlsVerifyPeer ?? false,
    }),
  };
}

/** A client on this machine can use the same file: its URI says so, for the first user in it. */
function pskOptions(path: string) {
  const keys = parsePskFile(readKeys(path));
  const [username] = keys.keys();
  if (username === undefined) throw new CommandError(`Cannot use ${path}: it has no keys`);
  return { keys, clientTls: { username, pskFile: resolve(path) } };
}

function readKeys(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(`Cannot read TLS keys: ${because(error)}`, { cause: error });
  }
}
