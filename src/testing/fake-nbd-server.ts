/**
 * An NBD server in memory that does what a test tells it: refuse, lie, hang up in the middle, vanish and come back. Connected by
 * pipes, so that with a simulated clock a whole life of reconnects takes no time and happens the same way each run.
 */

import { DmError, FormatError } from '../base/errors.ts';
import type { Wire } from '../devices/nbd/wire.ts';
import { writeUint64 } from '../protocols/nbd/bytes.ts';
import {
  encodeBlockStatus,
  encodeBlockStatusExt,
  encodeErrorChunk,
} from '../protocols/nbd/chunk.ts';
import {
  ChunkType,
  Command,
  CommandFlag,
  HandshakeFlag,
  Info,
  Option,
  OptionReply,
  TransmissionFlag,
} from '../protocols/nbd/constants.ts';
import { joinBytes } from '../protocols/nbd/frame-reader.ts';
import {
  decodeOptionHeader,
  encodeExportReply,
  encodeGreeting,
  encodeListedExport,
  encodeOptionReply,
  OPTION_HEADER_BYTES,
} from '../protocols/nbd/handshake.ts';
import { decodeInfoRequest, encodeInfo } from '../protocols/nbd/info.ts';
import { decodeMetaContextRequest, encodeMetaContext } from '../protocols/nbd/meta-context.ts';
import {
  type ChunkHead,
  encodeExtendedReply,
  encodeSimpleReply,
  encodeStructuredReply,
} from '../protocols/nbd/reply.ts';
import {
  createRequest,
  decodeExtendedRequest,
  decodeRequest,
  payloadBytes,
  type Request,
  requestHeaderBytes,
} from '../protocols/nbd/request.ts';
import { createPipe } from './wire-pipe.ts';

export const ALL_FLAGS =
  TransmissionFlag.hasFlags |
  TransmissionFlag.sendFlush |
  TransmissionFlag.sendFua |
  TransmissionFlag.sendTrim |
  TransmissionFlag.sendWriteZeroes |
  TransmissionFlag.sendFastZero |
  TransmissionFlag.sendCache;

export interface FakeRequest extends Request {
  payload: Uint8Array;
}

export interface FakeServerSettings {
  bytes: Uint8Array;
  exportName: string;
  flags: number;
  handshakeFlags: number;
  blockSize: { minimumBytes: number; preferredBytes: number; maxPayloadBytes: number } | null;
  replies: 'simple' | 'structured' | 'extended';
  metaContexts: boolean;
  /** true: knows no option but EXPORT_NAME, ABORT and LIST. */
  old: boolean;
  greeting: Uint8Array | null;
  /** Answers an option by itself; true: it did. */
  onOption(connection: FakeConnection, option: number, data: Uint8Array): boolean;
  /** Answers a request by itself, or not at all; true: it did. */
  onRequest(connection: FakeConnection, request: FakeRequest): boolean;
  /** Hangs up on a client that it cannot read, as real ones do, instead of throwing. */
  hangsUpOnNonsense: boolean;
}

export class FakeNbdServer {
  readonly settings: FakeServerSettings;
  /** In the order of arrival, over all connections. */
  readonly requests: FakeRequest[] = [];
  readonly connections: FakeConnection[] = [];
  /** Refuses to be connected to. */
  down = false;

  constructor(settings: Partial<FakeServerSettings> = {}) {
    this.settings = {
      bytes: new Uint8Array(64 * 1024),
      exportName: 'disk',
      flags: ALL_FLAGS,
      handshakeFlags: HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes,
      blockSize: null,
      replies: 'structured',
      metaContexts: true,
      old: false,
      greeting: null,
      onOption: () => false,
      onRequest: () => false,
      hangsUpOnNonsense: false,
      ...settings,
    };
  }

  /** For `RemoteExportOptions.connect`. */
  readonly connect = async (): Promise<Wire> => {
    await Promise.resolve();
    if (this.down) throw new DmError('ECONNREFUSED', 'nobody listens');
    const [near, far] = createPipe();
    this.connections.push(new FakeConnection(this, far));
    return near;
  };

  get openConnections(): FakeConnection[] {
    return this.connections.filter(({ isOpen }) => isOpen);
  }

  /** As kill -9 would. */
  kill(): void {
    for (const connection of this.openConnections) connection.close();
  }

  commands(): number[] {
    return this.requests.map(({ command }) => command);
  }
}

/** The server's end of one connection. */
export class FakeConnection {
  readonly server: FakeNbdServer;
  readonly #wire: Wire;
  #input: Uint8Array = new Uint8Array(0);
  #stage: 'flags' | 'option' | 'request' | 'closed' = 'flags';
  #extended = false;
  #structured = false;

  constructor(server: FakeNbdServer, wire: Wire) {
    this.server = server;
    this.#wire = wire;
    wire.onBytes = (bytes) => {
      this.#input = joinBytes(this.#input, bytes);
      try {
        while (this.#step());
      } catch (error) {
        if (!(error instanceof FormatError && server.settings.hangsUpOnNonsense)) throw error;
        this.close();
      }
    };
    wire.onClose = () => {
      this.#stage = 'closed';
    };
    // A real greeting takes a turn of the event loop too.
    setImmediate(() => {
      const { greeting, handshakeFlags } = server.settings;
      this.send(greeting ?? encodeGreeting(handshakeFlags));
    });
  }

  get isOpen(): boolean {
    return this.#stage !== 'closed';
  }

  send(...parts: Uint8Array[]): void {
    if (this.isOpen) this.#wire.write([joinBytes(...parts)], () => {});
  }

  close(): void {
    this.#stage = 'closed';
    this.#wire.destroy();
  }

  /** Closes behind what was sent. */
  hangUp(): void {
    this.#stage = 'closed';
    this.#wire.end();
  }

  #take(lengthBytes: number): Uint8Array | null {
    if (this.#input.length < lengthBytes) return null;
    const taken = this.#input.slice(0, lengthBytes);
    this.#input = this.#input.slice(lengthBytes);
    return taken;
  }

  #step(): boolean {
    if (this.#stage === 'flags') {
      if (!this.#take(4)) return false;
      this.#stage = 'option';
      return true;
    }
    if (this.#stage === 'option') return this.#readOption();
    return this.#stage === 'request' && this.#readRequest();
  }

  #readOption(): boolean {
    if (this.#input.length < OPTION_HEADER_BYTES) return false;
    const { option, dataBytes } = decodeOptionHeader(this.#input.slice(0, OPTION_HEADER_BYTES));
    const whole = this.#take(OPTION_HEADER_BYTES + dataBytes);
    if (!whole) return false;
    const data = whole.subarray(OPTION_HEADER_BYTES);
    if (!this.server.settings.onOption(this, option, data)) this.#answerOption(option, data);
    return true;
  }

  reply(option: number, type: number, data?: Uint8Array): void {
    this.send(encodeOptionReply(option, type, data));
  }

  #answerOption(option: number, data: Uint8Array): void {
    const { settings } = this.server;
    const isKnown =
      option === Option.exportName || option === Option.list || option === Option.abort;
    if (settings.old && !isKnown) {
      this.reply(option, OptionReply.errUnsup);
      return;
    }
    switch (option) {
      case Option.exportName:
        this.#answerExportName(data);
        return;
      case Option.abort:
        this.reply(option, OptionReply.ack);
        this.close();
        return;
      case Option.list: {
        const row = encodeListedExport({ name: settings.exportName, description: '' });
        this.reply(option, OptionReply.server, row);
        this.reply(option, OptionReply.ack);
        return;
      }
      case Option.structuredReply:
        this.#structured = settings.replies !== 'simple';
        this.reply(option, this.#structured ? OptionReply.ack : OptionReply.errUnsup);
        return;
      case Option.extendedHeaders:
        this.#extended = settings.replies === 'extended';
        this.reply(option, this.#extended ? OptionReply.ack : OptionReply.errUnsup);
        return;
      case Option.setMetaContext:
        this.#answerMetaContext(data);
        return;
      case Option.go:
        this.#answerGo(data);
        return;
      default:
        this.reply(option, OptionReply.errUnsup);
        return;
    }
  }

  #answerExportName(data: Uint8Array): void {
    const { settings } = this.server;
    if (Buffer.from(data).toString() !== settings.exportName) {
      this.close();
      return;
    }
    const zeroes = (settings.handshakeFlags & HandshakeFlag.noZeroes) === 0;
    const { bytes, flags } = settings;
    this.send(encodeExportReply({ sizeBytes: bytes.length, flags }, { zeroes }));
    this.#stage = 'request';
  }

  #answerMetaContext(data: Uint8Array): void {
    const { queries } = decodeMetaContextRequest(data);
    if (!this.server.settings.metaContexts) {
      this.reply(Option.setMetaContext, OptionReply.errUnsup);
      return;
    }
    const context = encodeMetaContext({ id: 7, name: queries[0]! });
    this.reply(Option.setMetaContext, OptionReply.metaContext, context);
    this.reply(Option.setMetaContext, OptionReply.ack);
  }

  #answerGo(data: Uint8Array): void {
    const { settings } = this.server;
    if (decodeInfoRequest(data).exportName !== settings.exportName) {
      this.reply(Option.go, OptionReply.errUnknown);
      return;
    }
    const { bytes, flags, blockSize } = settings;
    const size = encodeInfo({ info: Info.export, sizeBytes: bytes.length, flags });
    this.reply(Option.go, OptionReply.info, size);
    if (blockSize) {
      const sizes = encodeInfo({ info: Info.blockSize, ...blockSize });
      this.reply(Option.go, OptionReply.info, sizes);
    }
    this.reply(Option.go, OptionReply.ack);
    this.#stage = 'request';
  }

  #readRequest(): boolean {
    const headerBytes = requestHeaderBytes(this.#extended);
    if (this.#input.length < headerBytes) return false;
    const request: FakeRequest = { ...createRequest(), payload: new Uint8Array(0) };
    if (this.#extended) decodeExtendedRequest(this.#input, 0, request);
    else decodeRequest(this.#input, 0, request);
    const whole = this.#take(headerBytes + payloadBytes(request, this.#extended));
    if (!whole) return false;
    request.payload = whole.slice(headerBytes);
    if (request.command === Command.disconnect) {
      this.close();
      return false;
    }
    this.server.requests.push(request);
    if (!this.server.settings.onRequest(this, request)) this.answer(request);
    return true;
  }

  /** The honest answer. */
  answer(request: FakeRequest): void {
    const { bytes } = this.server.settings;
    const { command, offsetBytes, lengthBytes } = request;
    const end = offsetBytes + lengthBytes;
    switch (command) {
      case Command.read:
        this.sendData(request, bytes.slice(offsetBytes, end));
        return;
      case Command.write:
        bytes.set(request.payload, offsetBytes);
        this.sendOk(request);
        return;
      case Command.trim:
      case Command.writeZeroes:
        bytes.fill(0, offsetBytes, end);
        this.sendOk(request);
        return;
      case Command.blockStatus:
        this.sendStatus(request, [{ lengthBytes, flags: 0 }]);
        return;
      default:
        this.sendOk(request);
        return;
    }
  }

  /** One chunk with any content. */
  sendChunk(request: Request, chunk: Partial<ChunkHead>, payload = new Uint8Array(0)): void {
    const head = { flags: 1, type: ChunkType.none, payloadBytes: payload.length, ...chunk };
    const bytes = new Uint8Array(this.#extended ? 32 : 20);
    if (this.#extended) encodeExtendedReply(bytes, 0, request, head);
    else encodeStructuredReply(bytes, 0, request, head);
    this.send(bytes, payload);
  }

  sendSimple(request: Request, error = 0, data = new Uint8Array(0)): void {
    const bytes = new Uint8Array(16);
    encodeSimpleReply(bytes, 0, request, error);
    this.send(bytes, data);
  }

  sendOk(request: Request): void {
    if (this.#structured || this.#extended) this.sendChunk(request, {});
    else this.sendSimple(request);
  }

  sendError(request: Request, error: number, message = ''): void {
    if (!this.#structured && !this.#extended) {
      this.sendSimple(request, error);
      return;
    }
    const payload = encodeErrorChunk({ error, message });
    this.sendChunk(request, { type: ChunkType.error }, payload as Uint8Array<ArrayBuffer>);
  }

  sendData(
    request: Request,
    data: Uint8Array,
    options: { at?: number; flags?: number } = {},
  ): void {
    if (!this.#structured && !this.#extended) {
      this.sendSimple(request, 0, data as Uint8Array<ArrayBuffer>);
      return;
    }
    const prefix = new Uint8Array(8);
    writeUint64(prefix, 0, options.at ?? request.offsetBytes);
    const payload = joinBytes(prefix, data) as Uint8Array<ArrayBuffer>;
    this.sendChunk(request, { type: ChunkType.offsetData, flags: options.flags ?? 1 }, payload);
  }

  sendStatus(
    request: Request,
    extents: { lengthBytes: number; flags: number }[],
    contextId = 7,
  ): void {
    const status = { contextId, extents };
    const payload = this.#extended ? encodeBlockStatusExt(status) : encodeBlockStatus(status);
    const type = this.#extended ? ChunkType.blockStatusExt : ChunkType.blockStatus;
    this.sendChunk(request, { type }, payload as Uint8Array<ArrayBuffer>);
  }
}

export function isFua(request: Request): boolean {
  return (request.flags & CommandFlag.fua) !== 0;
}
