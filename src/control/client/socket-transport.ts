/** Our daemon's control socket, from the client's side. */

import { connect, type Socket } from 'node:net';
import { DmError, type ErrnoName, errnoName, errnoOf, FormatError } from '../../base/errors.ts';
import { EventLoopSpin } from '../../base/event-loop-spin.ts';
import { IOCTL_BASE } from '../protocol/commands.ts';
import { FrameReader } from '../protocol/frame-reader.ts';
import {
  type ControlReply,
  DAEMON_REQUEST,
  encodeRequest,
  replyShape,
} from '../protocol/frames.ts';
import { replyError } from './messages.ts';
import type { IoctlCall, Transport } from './transport.ts';

export interface SocketTransportOptions {
  path: string;
  /** Relative paths in tables are relative to it. */
  directory: string;
}

interface PendingCall {
  resolve(reply: ControlReply): void;
  reject(error: Error): void;
}

/** Rejects with DmError: ECONNREFUSED or ENOENT when no daemon listens there. */
export async function connectSocket(options: SocketTransportOptions): Promise<Transport> {
  // What arrives goes by no stream: that is a fifth of what a small request costs here.
  const arrivals: Arrivals = { receive: () => undefined };
  const socket = await openSocket(options.path, arrivals);
  return new SocketTransport(socket, arrivals, options);
}

/** Who gets what arrives; the memory is used again after the call. */
interface Arrivals {
  receive(chunk: Uint8Array): void;
}

const ARRIVAL_BYTES = 64 * 1024;
/** How long a reply may take for this thread to stay awake for it. */
const SPIN_MS = 0.3;

function openSocket(path: string, arrivals: Arrivals): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const onread = {
      buffer: new Uint8Array(ARRIVAL_BYTES),
      callback(lengthBytes: number, buffer: Uint8Array) {
        arrivals.receive(buffer.subarray(0, lengthBytes));
        return true;
      },
    };
    const socket = connect({ path, onread });
    const fail = (error: NodeJS.ErrnoException) => {
      const code = errnoName(errnoOf(error)) as ErrnoName;
      const reason = `Cannot connect to ${path}: ${words(error)}`;
      reject(new DmError(code, reason, { cause: error }));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function words(error: NodeJS.ErrnoException): string {
  if (error.code === 'EACCES') return 'EACCES; the daemon there is for its own user alone';
  return error.code ?? error.message;
}

class SocketTransport implements Transport {
  readonly backend = 'devmapper';
  readonly #socket: Socket;
  readonly #options: SocketTransportOptions;
  readonly #reader = new FrameReader(replyShape);
  readonly #spin = new EventLoopSpin(SPIN_MS);
  #pending: PendingCall | null = null;
  #failure: Error | null = null;

  constructor(socket: Socket, arrivals: Arrivals, options: SocketTransportOptions) {
    this.#socket = socket;
    this.#options = options;
    arrivals.receive = (chunk) => this.#receive(chunk);
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(null));
  }

  ioctl({ command, buffer, signal }: IoctlCall): Promise<ControlReply> {
    return this.#request(IOCTL_BASE + command, buffer, signal);
  }

  daemon(request: Uint8Array): Promise<ControlReply> {
    return this.#request(DAEMON_REQUEST, request);
  }

  async nextEvent(signal?: AbortSignal): Promise<void> {
    const request = Buffer.from(JSON.stringify({ method: 'poll' }));
    const reply = await this.#request(DAEMON_REQUEST, request, signal);
    if (reply.errno !== 0) throw replyError(reply);
  }

  another(): Promise<Transport> {
    return connectSocket(this.#options);
  }

  close(): Promise<void> {
    this.#fail(null);
    this.#socket.destroy();
    return Promise.resolve();
  }

  #request(ioctl: number, buffer: Uint8Array, signal?: AbortSignal): Promise<ControlReply> {
    if (this.#failure) return Promise.reject(this.#failure);
    // Whatever was under way is given up: closing is how the daemon hears of it.
    const abort = () => {
      this.#fail(interrupted());
      this.#socket.destroy();
    };
    if (signal?.aborted) return Promise.reject(interrupted());
    const reply = new Promise<ControlReply>((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
    signal?.addEventListener('abort', abort, { once: true });
    this.#send(ioctl, buffer);
    this.#spin.await();
    return reply.finally(() => signal?.removeEventListener('abort', abort));
  }

  #send(ioctl: number, buffer: Uint8Array): void {
    const { directory } = this.#options;
    const pieces = encodeRequest({ ioctl, wantsReason: true, directory, buffer });
    const frame = Buffer.concat(pieces);
    this.#socket.write(frame, () => frame.fill(0));
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (let rest = chunk; rest.byteLength > 0; ) {
        const { frame, takenBytes } = this.#reader.read(rest);
        rest = rest.subarray(takenBytes);
        if (frame) this.#answer(frame);
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#fail(new DmError('EPROTO', error.message, { cause: error }));
      this.#socket.destroy();
    } finally {
      chunk.fill(0);
    }
  }

  #answer(reply: ControlReply): void {
    this.#spin.arrived();
    const pending = this.#pending;
    this.#pending = null;
    if (pending) pending.resolve(reply);
    else this.#fail(new DmError('EPROTO', `${this.#options.path} sent a reply nobody asked for`));
  }

  #fail(cause: Error | null): void {
    this.#spin.arrived();
    const { path } = this.#options;
    const lost = `Lost the daemon at ${path}: ${cause ? cause.message : 'it closed the connection'}`;
    this.#failure ??= cause instanceof DmError ? cause : new DmError('ECONNRESET', lost, { cause });
    this.#reader.wipe();
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(this.#failure);
  }
}

function interrupted(): DmError {
  return new DmError('EINTR', 'The request was interrupted');
}
