/** A stream of bytes to a server and back, as the NBD client needs it: a socket, TLS over one, or a pipe in a test. */

import net from 'node:net';
import { DmError } from '../../base/errors.ts';
import type { NbdAddress } from './uri.ts';

export interface Wire {
  /** Bytes from the peer, valid during the call only. Set before any can arrive: in the turn in which the wire was made. */
  onBytes: (bytes: Uint8Array) => void;
  /** Once, when nothing comes or goes any more; null for an orderly end by either side. */
  onClose: (cause: Error | null) => void;
  /** The parts must stay as they are until `done`, which is not called if the wire closes before. */
  write(parts: readonly Uint8Array[], done: () => void): void;
  /** Closes after everything written has gone out. */
  end(): void;
  /** Closes at once; bytes that come afterwards are not reported. */
  destroy(): void;
}

/** As much as one read takes from the socket: large enough that big reads cost few turns of the event loop. */
const READ_BUFFER_BYTES = 256 * 1024;
const KEEP_ALIVE_MS = 15_000;

function ignore(): void {}

export class SocketWire implements Wire {
  onBytes: (bytes: Uint8Array) => void = ignore;
  onClose: (cause: Error | null) => void = ignore;
  readonly socket: net.Socket;
  #error: Error | null = null;
  #released = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    // Stays attached for good, so that no late error of the socket can surprise the process.
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.once('close', () => {
      if (!this.#released) this.onClose(this.#error);
    });
  }

  /** For sockets that report by events; others call `receive`. */
  listen(): this {
    this.socket.on('data', this.receive);
    return this;
  }

  readonly receive = (bytes: Uint8Array): void => {
    if (!this.#released && !this.socket.destroyed) this.onBytes(bytes);
  };

  write(parts: readonly Uint8Array[], done: () => void): void {
    const { socket } = this;
    if (socket.destroyed) return;
    const last = parts.length - 1;
    socket.cork();
    for (let index = 0; index < last; index += 1) socket.write(parts[index]!);
    socket.write(parts[last]!, (error) => {
      if (!error) done();
    });
    socket.uncork();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Hands the socket over to somebody else (TLS): from now on this wire neither reads nor reports. */
  release(): net.Socket {
    this.#released = true;
    this.socket.removeListener('data', this.receive);
    return this.socket;
  }
}

export interface ConnectOptions {
  signal: AbortSignal;
  /** The bytes will be read by TLS, which brings its own buffers. */
  forTls: boolean;
}

/** Rejects with what the system says (ECONNREFUSED ...) or with the signal's reason. */
export async function connectWire(
  address: NbdAddress,
  { signal, forTls }: ConnectOptions,
): Promise<SocketWire> {
  signal.throwIfAborted();
  const buffer = forTls ? null : Buffer.alloc(READ_BUFFER_BYTES);
  let wire: SocketWire | null = null;
  const socket = net.connect({
    ...(address.kind === 'tcp'
      ? { host: address.host, port: address.port, noDelay: true }
      : { path: address.path }),
    ...(buffer && {
      onread: {
        buffer,
        callback: (lengthBytes: number) => {
          wire?.receive(buffer.subarray(0, lengthBytes));
          return true;
        },
      },
    }),
  });
  wire = new SocketWire(socket);
  await whenConnected(socket, 'connect', signal);
  if (address.kind === 'tcp') socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return forTls ? wire.listen() : wire;
}

/** Resolves at `event`; on failure the socket is destroyed. */
export function whenConnected(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null) => {
      signal.removeEventListener('abort', abort);
      socket.removeListener('error', settle);
      socket.removeListener('close', close);
      socket.removeListener(event, succeed);
      if (!error) return resolve();
      socket.destroy();
      reject(error);
    };
    const abort = () => settle(signal.reason as Error);
    const close = () => settle(new DmError('ECONNRESET', 'the server closed the connection'));
    const succeed = () => settle(null);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', settle);
    socket.once('close', close);
    socket.once(event, succeed);
  });
}
