/**
 * An NBD client for hostile tests: many requests at a time, told apart by their cookies. It keeps the laws that every client relies on
 * (each request is answered exactly once, every byte of a read comes exactly once) and throws at the first breach.
 */

import { connect, type Socket } from 'node:net';
import tls from 'node:tls';
import {
  type BlockStatus,
  decodeBlockStatus,
  decodeErrorChunk,
  decodeHole,
} from '../../src/protocols/nbd/chunk.ts';
import {
  ChunkType,
  Command,
  CommandFlag,
  Option,
  OptionReply,
} from '../../src/protocols/nbd/constants.ts';
import { encodeMetaContextRequest } from '../../src/protocols/nbd/meta-context.ts';
import {
  createReply,
  decodeReply,
  type Reply,
  replyHeaderBytes,
} from '../../src/protocols/nbd/reply.ts';
import { encodeExtendedRequest, encodeRequest } from '../../src/protocols/nbd/request.ts';
import { NbdPeer } from '../../src/testing/nbd-peer.ts';

export type ReplyMode = 'simple' | 'structured' | 'extended';

export interface ClientOptions {
  address: { path: string } | { host: string; port: number };
  exportName?: string;
  mode?: ReplyMode;
  contexts?: readonly string[];
  psk?: { user: string; key: Uint8Array };
}

export interface Answer {
  /** One of `NbdError`, 0 for success. */
  error: number;
  message: string;
  data: Uint8Array;
  statuses: BlockStatus[];
}

export interface Query {
  command: number;
  flags?: number;
  offset?: number;
  length?: number;
  data?: Uint8Array;
  /** Extended headers: leave out what the protocol wants of a write. */
  withoutPayloadFlag?: boolean;
}

interface Pending {
  command: number;
  offset: number;
  length: number;
  filledBytes: number;
  answer: Answer;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const EMPTY = new Uint8Array(0);

export class NbdClient {
  readonly socket: Socket;
  readonly mode: ReplyMode;
  /** Resolves when the server hung up, with the first breach of the protocol, if there was one. */
  readonly ended: Promise<Error | null>;
  answeredCount = 0;
  #breach: Error | null = null;
  #nextCookie = 1;
  readonly #pending = new Map<number, Pending>();
  /** What is being gathered: a header, or a payload once `#reply` is known. */
  #target = Buffer.alloc(4);
  #filled = 0;
  #reply: Reply | null = null;
  #paused = false;

  private constructor(socket: Socket, mode: ReplyMode) {
    this.socket = socket;
    this.mode = mode;
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.#failPending(new Error('The server hung up'));
        resolve(this.#breach);
      });
    });
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('data', (bytes: Uint8Array) => this.#feed(bytes));
  }

  static async connect(options: ClientOptions): Promise<NbdClient> {
    const { address, exportName = 'disk', mode = 'structured', contexts = [], psk } = options;
    let socket = await connected(connect(address));
    let peer = new NbdPeer(socket);
    await peer.greet();
    if (psk) {
      await expectAck(peer.option(Option.starttls));
      socket = await secured(detach(socket), psk);
      peer = new NbdPeer(socket);
    }
    if (mode === 'structured') await expectAck(peer.option(Option.structuredReply));
    if (mode === 'extended') await expectAck(peer.option(Option.extendedHeaders));
    if (contexts.length > 0) {
      const data = encodeMetaContextRequest({ exportName, queries: [...contexts] });
      await expectAck(peer.option(Option.setMetaContext, data));
    }
    await expectAck(peer.go(exportName));
    return new NbdClient(detach(socket), mode);
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Takes no more answers; they pile up where the server put them. */
  pause(): void {
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.socket.resume();
  }

  read(offset: number, length: number, flags = 0): Promise<Answer> {
    return this.request({ command: Command.read, offset, length, flags });
  }

  write(offset: number, data: Uint8Array, flags = 0): Promise<Answer> {
    return this.request({ command: Command.write, offset, data, flags });
  }

  /** `sent` is the part of the payload to send at once, by default all of it. */
  request(query: Query, sent = query.data): Promise<Answer> {
    const { command, offset = 0, length = query.data?.length ?? 0 } = query;
    const cookie = this.#nextCookie;
    this.#nextCookie += 1;
    const header = this.encode(query, cookie);
    if (this.socket.destroyed) return Promise.reject(new Error('The server hung up'));
    const promise = new Promise<Answer>((resolve, reject) => {
      const readBytes = command === Command.read ? length : 0;
      const data = readBytes > 0 ? new Uint8Array(Math.min(readBytes, 2 ** 28)) : EMPTY;
      const answer = { error: 0, message: '', data, statuses: [] };
      const request = { command, offset, length, filledBytes: 0, answer, resolve, reject };
      this.#pending.set(cookie, request);
    });
    // A test that gives up on its answers need not say so.
    promise.catch(() => {});
    this.socket.write(header);
    if (sent) this.socket.write(sent);
    return promise;
  }

  /** The header alone. */
  encode(query: Query, cookie = 0): Uint8Array {
    const extended = this.mode === 'extended';
    let flags = query.flags ?? 0;
    if (extended && query.data && !query.withoutPayloadFlag) flags |= CommandFlag.payloadLength;
    const header = new Uint8Array(extended ? 32 : 28);
    const encode = extended ? encodeExtendedRequest : encodeRequest;
    const { command, offset: offsetBytes = 0 } = query;
    const lengthBytes = query.length ?? query.data?.length ?? 0;
    encode(header, 0, {
      command,
      flags,
      offsetBytes,
      lengthBytes,
      cookieHigh: 0,
      cookieLow: cookie,
    });
    return header;
  }

  /** Asks for an orderly end and resolves when the server has hung up. */
  async disconnect(): Promise<void> {
    this.socket.write(this.encode({ command: Command.disconnect }));
    const breach = await this.ended;
    if (breach) throw breach;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #failPending(error: Error): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }

  #feed(bytes: Uint8Array): void {
    let at = 0;
    try {
      while (at < bytes.length) {
        const count = Math.min(bytes.length - at, this.#target.length - this.#filled);
        this.#target.set(bytes.subarray(at, at + count), this.#filled);
        this.#filled += count;
        at += count;
        // A payload may be empty, and is complete then as soon as its header is.
        while (this.#filled === this.#target.length) this.#advance();
      }
    } catch (error) {
      this.#breach = error as Error;
      this.#failPending(this.#breach);
      this.socket.destroy();
    }
    if (this.#paused) this.socket.pause();
  }

  /** `#target` is full. */
  #advance(): void {
    if (this.#reply !== null) {
      const reply = this.#reply;
      const payload = this.#target;
      this.#reply = null;
      this.#gather(4);
      this.#take(reply, payload);
      return;
    }
    const headerBytes = replyHeaderBytes(this.#target, 0);
    if (this.#target.length < headerBytes) {
      const start = this.#target;
      this.#gather(headerBytes);
      start.copy(this.#target);
      this.#filled = start.length;
      return;
    }
    const reply = createReply();
    decodeReply(this.#target, 0, reply);
    this.#reply = reply;
    this.#gather(this.#payloadBytes(reply));
  }

  #gather(lengthBytes: number): void {
    this.#target = Buffer.allocUnsafe(lengthBytes);
    this.#filled = 0;
  }

  #requestOf({ cookieHigh, cookieLow }: Reply): Pending {
    const request = this.#pending.get(cookieLow);
    if (request && cookieHigh === 0) return request;
    throw new Error(`A reply to request ${cookieLow}, which is not under way`);
  }

  #payloadBytes(reply: Reply): number {
    const request = this.#requestOf(reply);
    if (reply.kind !== 'simple') return reply.payloadBytes;
    return request.command === Command.read && reply.error === 0 ? request.length : 0;
  }

  #take(reply: Reply, payload: Buffer): void {
    const request = this.#requestOf(reply);
    const { answer } = request;
    if (reply.kind === 'simple') {
      if (this.mode !== 'simple' && request.command === Command.read)
        throw new Error('A simple reply to a read');
      answer.error = reply.error;
      this.#fill(request, request.offset, payload);
    } else {
      this.#takeChunk(reply, payload, request);
    }
    if ((reply.flags & 1) === 0) return;
    this.#pending.delete(reply.cookieLow);
    if (
      request.command === Command.read &&
      answer.error === 0 &&
      request.filledBytes !== request.length
    ) {
      throw new Error(`A read of ${request.length} bytes gave ${request.filledBytes}`);
    }
    this.answeredCount += 1;
    request.resolve(answer);
  }

  #takeChunk(reply: Reply, payload: Buffer, request: Pending): void {
    const { answer } = request;
    if (reply.kind !== this.mode)
      throw new Error(`A ${reply.kind} reply where ${this.mode} was agreed`);
    if (reply.kind === 'extended' && reply.offsetBytes !== request.offset) {
      throw new Error(`A reply for offset ${reply.offsetBytes} to a request for ${request.offset}`);
    }
    switch (reply.type) {
      case ChunkType.none:
        return;
      case ChunkType.offsetData:
        this.#fill(request, Number(payload.readBigUInt64BE()), payload.subarray(8));
        return;
      case ChunkType.offsetHole: {
        const { offsetBytes, lengthBytes } = decodeHole(payload);
        this.#fill(request, offsetBytes, new Uint8Array(lengthBytes));
        return;
      }
      case ChunkType.blockStatus:
      case ChunkType.blockStatusExt:
        answer.statuses.push(decodeBlockStatus(reply.type, payload));
        return;
      default:
        ({ error: answer.error, message: answer.message } = decodeErrorChunk(reply.type, payload));
    }
  }

  #fill(request: Pending, offset: number, data: Uint8Array): void {
    if (data.length === 0) return;
    if (request.command !== Command.read) throw new Error('Data for a request that is no read');
    request.answer.data.set(data, offset - request.offset);
    request.filledBytes += data.length;
  }
}

async function connected(socket: Socket): Promise<Socket> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.setNoDelay(true);
  return socket;
}

function secured(
  socket: Socket,
  { user, key }: { user: string; key: Uint8Array },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secure = tls.connect({
      socket,
      ciphers: 'PSK-AES256-GCM-SHA384',
      minVersion: 'TLSv1.3',
      checkServerIdentity: () => undefined,
      pskCallback: () => ({ psk: Buffer.from(key), identity: user }),
    });
    secure.once('secureConnect', () => resolve(secure));
    secure.once('error', reject);
  });
}

/** From the peer that did the handshake; the server never speaks first after it. */
function detach(socket: Socket): Socket {
  for (const event of ['data', 'end', 'close', 'error']) socket.removeAllListeners(event);
  return socket;
}

async function expectAck(replies: Promise<{ type: number; data: Uint8Array }[]>): Promise<void> {
  const last = (await replies).at(-1);
  if (last?.type !== OptionReply.ack)
    throw new Error(`Option refused with 0x${last?.type.toString(16)}`);
}
