/** One dm-ioctl under way: the request's bytes and the answer as far as it is made. */

import type { Mapper } from '../../core/mapper.ts';
import { Flag } from '../protocol/commands.ts';
import { MAX_BUFFER_BYTES } from '../protocol/frames.ts';
import { HEADER_BYTES, Header, PAYLOAD_START, VERSION_BYTES } from '../protocol/header.ts';
import type { ControlSession, IoctlRequest } from './types.ts';

/** Flags that only replies carry. */
const REPLY_FLAGS = Flag.bufferFull | Flag.ueventGenerated | Flag.secureData | Flag.dataOut;

export class IoctlCall {
  readonly mapper: Mapper;
  /** Begins as the request's and becomes the reply's. */
  readonly header: Header;
  /** The whole request, as far as its data_size says and the caller's memory goes. */
  readonly input: Uint8Array;
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly session: ControlSession;
  readonly #inputSizeBytes: number;
  readonly #headerBytes = new Uint8Array(PAYLOAD_START);
  #payload: Uint8Array | null = null;

  /** `takesPayload` false: the command looks at the header only, and answers with nothing else. */
  constructor(mapper: Mapper, request: IoctlRequest, takesPayload: boolean) {
    this.mapper = mapper;
    this.directory = request.directory;
    this.signal = request.signal;
    this.session = request.session;
    this.#headerBytes.set(request.buffer.subarray(0, HEADER_BYTES));
    this.header = new Header(this.#headerBytes);
    this.#inputSizeBytes = takesPayload ? this.header.dataSize : HEADER_BYTES;
    this.input = request.buffer.subarray(0, this.#inputSizeBytes);
    this.header.put(REPLY_FLAGS, false);
    this.header.dataSize = HEADER_BYTES;
  }

  /** How many bytes of payload the caller has room for. Called by commands that may answer with one. */
  room(): number {
    this.header.dataStart = PAYLOAD_START;
    const sizeBytes = Math.min(this.#inputSizeBytes, MAX_BUFFER_BYTES);
    return Math.max(0, sizeBytes - PAYLOAD_START);
  }

  /** null: it does not fit, and the caller has to come again with more room. */
  answer(payload: Uint8Array | null): void {
    if (payload === null) {
      this.setBufferFull();
      return;
    }
    this.header.dataSize = PAYLOAD_START + payload.length;
    this.#payload = payload;
  }

  setBufferFull(): void {
    this.header.put(Flag.bufferFull, true);
  }

  /** Nothing but the version reaches the caller. */
  answerNothing(): void {
    this.header.dataSize = 0;
  }

  replyBytes(): Uint8Array {
    const sizeBytes = Math.max(this.header.dataSize, VERSION_BYTES);
    if (this.#payload === null) return this.#headerBytes.slice(0, sizeBytes);
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(this.#headerBytes);
    bytes.set(this.#payload, PAYLOAD_START);
    // It may hold a key; the reply is overwritten once it is sent.
    this.#payload.fill(0);
    return bytes;
  }
}
