/** The client's side of an NBD connection for tests: frame by frame, so that a test can also say what no client should. */

import type { Duplex } from 'node:stream';
import {
  Command,
  EXTENDED_REQUEST_BYTES,
  HandshakeFlag,
  Option,
  OptionReply,
  REQUEST_BYTES,
  ReplyFlag,
} from '../protocols/nbd/constants.ts';
import {
  decodeGreeting,
  decodeOptionReplyHeader,
  encodeClientFlags,
  encodeOption,
  GREETING_BYTES,
  OPTION_REPLY_HEADER_BYTES,
} from '../protocols/nbd/handshake.ts';
import { encodeInfoRequest } from '../protocols/nbd/info.ts';
import { createReply, decodeReply, type Reply, replyHeaderBytes } from '../protocols/nbd/reply.ts';
import {
  encodeExtendedRequest,
  encodeRequest,
  type RequestToSend,
} from '../protocols/nbd/request.ts';

export interface PeerOptionReply {
  type: number;
  data: Uint8Array;
}

export interface PeerReply extends Reply {
  payload: Buffer;
}

export class NbdPeer {
  readonly stream: Duplex;
  extendedHeaders = false;
  #chunks: Uint8Array[] = [];
  #inputBytes = 0;
  #ended = false;
  #wake: () => void = () => {};

  constructor(stream: Duplex) {
    this.stream = stream;
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    stream.on('data', (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#inputBytes += chunk.length;
      this.#wake();
    });
    stream.on('end', end);
    stream.on('close', end);
    stream.on('error', end);
  }

  write(bytes: Uint8Array): void {
    this.stream.write(bytes);
  }

  /** null when the server hung up before so many came. */
  async tryRead(lengthBytes: number): Promise<Buffer | null> {
    while (this.#inputBytes < lengthBytes) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const input = Buffer.concat(this.#chunks);
    this.#chunks = [input.subarray(lengthBytes)];
    this.#inputBytes -= lengthBytes;
    return input.subarray(0, lengthBytes);
  }

  async read(lengthBytes: number): Promise<Buffer> {
    const bytes = await this.tryRead(lengthBytes);
    if (bytes !== null) return bytes;
    throw new Error(`The server hung up; expected ${lengthBytes} bytes`);
  }

  /** Resolves when the server hung up; answers how many bytes came that nobody read. */
  async hangUp(): Promise<number> {
    await this.tryRead(Number.POSITIVE_INFINITY);
    return this.#inputBytes;
  }

  /** Reads the greeting, answers with client flags; returns what the server offered. */
  async greet(
    flags: number = HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes,
  ): Promise<number> {
    const offered = decodeGreeting(await this.read(GREETING_BYTES));
    this.write(encodeClientFlags(flags));
    return offered;
  }

  /** Sends an option and gathers the replies up to the last one. */
  async option(option: number, data?: Uint8Array): Promise<PeerOptionReply[]> {
    this.write(encodeOption(option, data));
    return this.optionReplies(option);
  }

  async optionReplies(option: number): Promise<PeerOptionReply[]> {
    const replies: PeerOptionReply[] = [];
    for (;;) {
      const header = decodeOptionReplyHeader(await this.read(OPTION_REPLY_HEADER_BYTES));
      if (header.option !== option) throw new Error(`Reply to option ${header.option}`);
      replies.push({ type: header.type, data: await this.read(header.dataBytes) });
      if (header.type === OptionReply.ack || header.type >= 2 ** 31) return replies;
    }
  }

  async go(exportName = '', infos: number[] = []): Promise<PeerOptionReply[]> {
    return this.option(Option.go, encodeInfoRequest({ exportName, infos }));
  }

  request(fields: Partial<RequestToSend>, payload?: Uint8Array): void {
    const request = {
      flags: 0,
      command: Command.read,
      cookieHigh: 0,
      cookieLow: 0,
      offsetBytes: 0,
      lengthBytes: payload?.length ?? 0,
      ...fields,
    };
    const header = new Uint8Array(this.extendedHeaders ? EXTENDED_REQUEST_BYTES : REQUEST_BYTES);
    if (this.extendedHeaders) encodeExtendedRequest(header, 0, request);
    else encodeRequest(header, 0, request);
    this.write(header);
    if (payload) this.write(payload);
  }

  /** One reply or chunk; `dataBytes` is what a simple reply to a read carries when it is no error. */
  async reply(dataBytes = 0): Promise<PeerReply> {
    const start = await this.read(4);
    const rest = await this.read(replyHeaderBytes(start, 0) - 4);
    const reply = createReply();
    decodeReply(Buffer.concat([start, rest]), 0, reply);
    const isSimple = reply.kind === 'simple';
    const length = isSimple ? (reply.error === 0 ? dataBytes : 0) : reply.payloadBytes;
    return { ...reply, payload: await this.read(length) };
  }

  /** All chunks of one reply. */
  async chunks(): Promise<PeerReply[]> {
    const chunks: PeerReply[] = [];
    for (;;) {
      const chunk = await this.reply();
      chunks.push(chunk);
      if (chunk.flags & ReplyFlag.done) return chunks;
    }
  }
}
