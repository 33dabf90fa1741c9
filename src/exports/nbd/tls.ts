/** TLS for STARTTLS: certificates, pre-shared keys, or both. */

import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { DmError } from '../../base/errors.ts';
import type { TlsMode } from './option-rules.ts';

export interface TlsOptions {
  /** `required` unless said otherwise. */
  mode?: Exclude<TlsMode, 'off'>;
  certificate?: {
    /** PEM. */
    certificate: string | Uint8Array;
    key: string | Uint8Array;
    /** PEM: who signs clients' certificates. */
    clientAuthority?: string | Uint8Array;
    /** Only clients with a certificate of `clientAuthority` may come in; true where that is given. */
    verifyClients?: boolean;
  };
  /** Keys by user name: see `parsePskFile`. */
  psk?: ReadonlyMap<string, Uint8Array>;
}

/**
 * OpenSSL leaves key exchange by pre-shared key out unless it is asked for. With TLS 1.3 such keys go with SHA-256, so that
 * these suites come first: else a server that has a certificate too would choose another hash and ignore the key.
 */
const PSK_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_256_GCM_SHA384',
  ...tls.DEFAULT_CIPHERS.split(':').filter((name) => !name.startsWith('TLS_')),
  'kECDHEPSK:kDHEPSK:kPSK:!NULL',
].join(':');

/** Reads `user:hexadecimal key` lines, as `psktool` and `qemu-img` have them. Never puts a key into a message. */
export function parsePskFile(text: string): ReadonlyMap<string, Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const parts = /^([^:]+):((?:[0-9a-fA-F]{2})+)\s*$/.exec(line);
    if (!parts) {
      const expected = 'expected "user:hexadecimal key"';
      throw new DmError('EINVAL', `Cannot read PSK file: line ${index + 1}: ${expected}`);
    }
    keys.set(parts[1]!, Buffer.from(parts[2]!, 'hex'));
  });
  return keys;
}

export type SecureCallback = (stream: tls.TLSSocket) => void;
export type InsecureCallback = (reason: string) => void;

/** Starts TLS on plain connections. */
export class TlsStarter {
  readonly #options: tls.TlsOptions;

  /** Throws DmError for keys and certificates that do not work. */
  constructor(options: TlsOptions, handshakeTimeoutMs: number) {
    this.#options = { ...nodeOptions(options), handshakeTimeout: handshakeTimeoutMs };
    try {
      tls.createSecureContext(this.#options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new DmError('EINVAL', `Cannot use TLS keys: ${reason}`, { cause: error });
    }
  }

  /** `socket` has no listeners and no unread bytes of ours. One of the callbacks is called, once. */
  start(socket: Socket, onSecure: SecureCallback, onInsecure: InsecureCallback): void {
    // A server of its own that never listens: it checks certificates and keys, and its events are about this client alone.
    const server = tls.createServer(this.#options);
    // A client that gives up in the middle may say so by shutting its side only; afterwards that is its good right.
    socket.allowHalfOpen = false;
    server.once('secureConnection', (stream) => {
      if (!this.#options.requestCert || stream.authorized) {
        stream.allowHalfOpen = true;
        onSecure(stream);
        return;
      }
      stream.destroy();
      onInsecure(`the client's certificate is not trusted: ${String(stream.authorizationError)}`);
    });
    server.once('tlsClientError', (error) => onInsecure(error.message));
    server.emit('connection', socket);
  }
}

function nodeOptions({ certificate, psk }: TlsOptions): tls.TlsOptions {
  if (certificate === undefined && psk === undefined) {
    throw new DmError('EINVAL', 'Cannot use TLS: expected a certificate or pre-shared keys');
  }
  const options: tls.TlsOptions = { minVersion: 'TLSv1.2' };
  if (certificate) Object.assign(options, certificateOptions(certificate));
  if (psk) Object.assign(options, pskOptions(psk));
  return options;
}

function certificateOptions(given: NonNullable<TlsOptions['certificate']>): tls.TlsOptions {
  const { clientAuthority, verifyClients = clientAuthority !== undefined } = given;
  if (verifyClients && clientAuthority === undefined) {
    throw new DmError('EINVAL', 'Cannot verify clients: expected the authority that signs them');
  }
  return {
    cert: toPem(given.certificate),
    key: toPem(given.key),
    ...(clientAuthority !== undefined && { ca: toPem(clientAuthority) }),
    requestCert: verifyClients,
    // Looked at in `start`, which can say why; Node would only hang up.
    rejectUnauthorized: false,
  };
}

function toPem(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem);
}

function pskOptions(psk: ReadonlyMap<string, Uint8Array>): tls.TlsOptions {
  return {
    ciphers: PSK_CIPHERS,
    pskCallback: (_socket, identity) => {
      const key = psk.get(identity);
      return key ? Buffer.from(key) : null;
    },
  };
}
