/**
 * TLS for an NBD connection, with certificates or a pre-shared key. File names in a certificates folder and the format of
 * key files are GnuTLS' conventions, which nbdkit, qemu and libnbd share: see nbdkit-tls(1).
 */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { DmError } from '../../base/errors.ts';
import type { NbdTls, NbdUri } from './uri.ts';
import { SocketWire, whenConnected } from './wire.ts';

/** OpenSSL offers pre-shared keys from outside with these only when asked; in TLS 1.3 they work otherwise. */
const PSK_CIPHERS = [
  'ECDHE-PSK-CHACHA20-POLY1305',
  'ECDHE-PSK-AES256-CBC-SHA384',
  'ECDHE-PSK-AES128-CBC-SHA256',
  'DHE-PSK-AES256-GCM-SHA384',
  'DHE-PSK-CHACHA20-POLY1305',
  'DHE-PSK-AES128-GCM-SHA256',
  'PSK-AES256-GCM-SHA384',
  'PSK-AES128-GCM-SHA256',
].join(':');

/** Continues the conversation encrypted. The old wire is used up, whatever comes of it. */
export async function startTls(
  wire: SocketWire,
  uri: NbdUri,
  signal: AbortSignal,
): Promise<SocketWire> {
  const host = uri.address.kind === 'tcp' ? uri.address.host : undefined;
  const socket = wire.release();
  try {
    const options = tlsOptions(uri.tls ?? { verifyPeer: true }, host);
    const secured = tls.connect({ ...options, socket });
    const securedWire = new SocketWire(secured);
    await whenConnected(secured, 'secureConnect', signal);
    return securedWire.listen();
  } catch (error) {
    socket.destroy();
    throw tlsRefusal(error);
  }
}

function tlsRefusal(error: unknown): Error {
  if (error instanceof DmError) return error;
  const { message, code } = error as NodeJS.ErrnoException;
  return new DmError('EACCES', `TLS failed: ${message}${code ? ` (${code})` : ''}`, {
    cause: error,
  });
}

export function tlsOptions(parameters: NbdTls, host: string | undefined): tls.ConnectionOptions {
  const name = parameters.hostname ?? host;
  if (parameters.pskFile !== undefined) return pskOptions(parameters, parameters.pskFile, name);
  return {
    ...serverName(name),
    ...(parameters.certificates !== undefined && readCertificates(parameters.certificates)),
    rejectUnauthorized: parameters.verifyPeer,
    // Over a Unix socket there may be no name to compare; then, as in libnbd, the authority's signature has to do.
    checkServerIdentity: (_servername, certificate) =>
      name === undefined ? undefined : tls.checkServerIdentity(name, certificate),
  };
}

function serverName(name: string | undefined): { servername?: string } {
  return name !== undefined && isIP(name) === 0 ? { servername: name } : {};
}

function pskOptions(
  parameters: NbdTls,
  file: string,
  name: string | undefined,
): tls.ConnectionOptions {
  const identity = parameters.username ?? userInfo().username;
  const psk = findKey(readFile(file, 'pre-shared keys'), identity, file);
  return {
    ...serverName(name),
    ciphers: PSK_CIPHERS,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    pskCallback: () => ({ identity, psk }),
    // There is no certificate: the server proves itself by knowing the key.
    checkServerIdentity: () => undefined,
  };
}

/** Lines of `user:hexadecimal key`. The key itself never gets into a message. */
function findKey(content: Buffer, identity: string, file: string): Buffer {
  for (const line of content.toString('utf8').split(/\r?\n/)) {
    const colon = line.lastIndexOf(':');
    if (colon < 0 || line.slice(0, colon) !== identity) continue;
    const key = line.slice(colon + 1).trim();
    if (/^([0-9a-f]{2})+$/i.test(key)) return Buffer.from(key, 'hex');
    throw new DmError(
      'EINVAL',
      `Cannot read pre-shared keys of ${file}: the key of "${identity}" is not hexadecimal`,
    );
  }
  throw new DmError('ENOENT', `Cannot read pre-shared keys of ${file}: no key for "${identity}"`);
}

function readCertificates(folder: string): tls.SecureContextOptions {
  const ca = readOptional(join(folder, 'ca-cert.pem'));
  const cert = readOptional(join(folder, 'client-cert.pem'));
  const key = readOptional(join(folder, 'client-key.pem'));
  const crl = readOptional(join(folder, 'ca-crl.pem'));
  if (ca === null && cert === null) {
    throw new DmError(
      'ENOENT',
      `Cannot use TLS certificates of ${folder}: neither ca-cert.pem nor client-cert.pem is there`,
    );
  }
  if ((cert === null) !== (key === null)) {
    throw new DmError(
      'ENOENT',
      `Cannot use TLS certificates of ${folder}: client-cert.pem and client-key.pem go together`,
    );
  }
  return { ...(ca && { ca }), ...(cert && key && { cert, key }), ...(crl && { crl }) };
}

function readOptional(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unreadable(path, 'TLS certificates', error);
  }
}

function readFile(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw unreadable(path, what, error);
  }
}

function unreadable(path: string, what: string, error: unknown): DmError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new DmError(
    code === 'ENOENT' ? 'ENOENT' : 'EACCES',
    `Cannot read ${what} of ${path}: ${message}`,
    { cause: error },
  );
}
