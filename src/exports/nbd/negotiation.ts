/**
 * The server's side of the handshake, fixed newstyle: bytes in, bytes out, no sockets.
 *
 * State         | what comes in                    | what follows
 * --------------|----------------------------------|-----------------------------------------------------------
 * client-flags  | 4 bytes                          | option-header; closed for flags that were not offered
 * option-header | 16 bytes                         | option-data; skip if the data is too large; closed if hopeless
 * option-data   | the option's data                | option-header | tls | transmission | closed, by its rule
 * skip          | data nobody wants                | option-header
 * tls           | nothing, until `tlsStarted`      | option-header, everything agreed on forgotten
 * transmission  | nothing: the peer has taken over |
 * closed        | nothing                          |
 *
 * A client that pipelines options is served, but no further than the peer can take the answers.
 */

import { FormatError } from '../../base/errors.ts';
import { HandshakeFlag, Option, OptionReply } from '../../protocols/nbd/constants.ts';
import { joinBytes } from '../../protocols/nbd/frame-reader.ts';
import {
  CLIENT_FLAGS_BYTES,
  decodeClientFlags,
  decodeOptionHeader,
  encodeGreeting,
  encodeOptionReply,
  OPTION_HEADER_BYTES,
  type OptionHeader,
} from '../../protocols/nbd/handshake.ts';
import type { ExportSource } from './exports.ts';
import { exportNameRule, goRule, infoRule } from './option-info.ts';
import { abortRule, listRule } from './option-list.ts';
import { listMetaContextRule, setMetaContextRule } from './option-meta-context.ts';
import { extendedHeadersRule, structuredReplyRule } from './option-replies.ts';
import {
  type OptionAnswer,
  type OptionContext,
  type OptionResult,
  type OptionRule,
  refusal,
  refuse,
  type TlsMode,
} from './option-rules.ts';
import { startTlsRule } from './option-starttls.ts';
import type { Agreement, NbdSession } from './session.ts';

const RULES: ReadonlyMap<number, OptionRule> = new Map([
  [Option.exportName, exportNameRule],
  [Option.abort, abortRule],
  [Option.list, listRule],
  [Option.starttls, startTlsRule],
  [Option.info, infoRule],
  [Option.go, goRule],
  [Option.structuredReply, structuredReplyRule],
  [Option.listMetaContext, listMetaContextRule],
  [Option.setMetaContext, setMetaContextRule],
  [Option.extendedHeaders, extendedHeadersRule],
]);

const OFFERED_FLAGS = HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes;
/** A client that wants to send more than this with an option is not worth the wait. */
const SKIP_LIMIT_BYTES = 1024 * 1024;

export interface NegotiationOptions {
  exports: ExportSource;
  /** What the empty name means; by default the only export, if there is one. */
  defaultExport?: string | undefined;
  tlsMode: TlsMode;
  /** Larger options are refused. */
  maxOptionBytes: number;
  /** A client with more options than this is cut off. */
  maxOptionCount: number;
  /** Every option but ABORT is then refused. */
  isShuttingDown(): boolean;
}

/** Who carries the bytes. */
export interface NegotiationPeer {
  /** false: enough is queued; `resume` when it is gone. */
  send(bytes: Uint8Array): boolean;
  /** Start TLS when what was sent is out, then call `tlsStarted`. */
  startTls(): void;
  /** The handshake is over. `leftover` came behind it. */
  enter(session: NbdSession, leftover: Uint8Array): void;
  /** Close when what was sent is out. */
  end(): void;
  /** Close at once. */
  close(reason: string): void;
}

type State =
  | 'client-flags'
  | 'option-header'
  | 'option-data'
  | 'skip'
  | 'tls'
  | 'transmission'
  | 'closed';

export class Negotiation {
  readonly #options: NegotiationOptions;
  readonly #peer: NegotiationPeer;
  #state: State = 'client-flags';
  #input: Uint8Array = new Uint8Array(0);
  #header: OptionHeader = { option: 0, dataBytes: 0 };
  #skipBytes = 0;
  #optionCount = 0;
  #clientFlags = 0;
  #tls = false;
  #stalled = false;
  #agreement = emptyAgreement();

  constructor(options: NegotiationOptions, peer: NegotiationPeer) {
    this.#options = options;
    this.#peer = peer;
  }

  get state(): State {
    return this.#state;
  }

  start(): void {
    this.#send(encodeGreeting(OFFERED_FLAGS));
  }

  receive(chunk: Uint8Array): void {
    this.#input = this.#input.length === 0 ? chunk : joinBytes(this.#input, chunk);
    this.#advance();
  }

  /** What was sent has gone out. */
  resume(): void {
    this.#stalled = false;
    this.#advance();
  }

  /** TLS runs: the client starts anew, without a greeting. */
  tlsStarted(): void {
    this.#tls = true;
    this.#agreement = emptyAgreement();
    this.#state = 'option-header';
  }

  #advance(): void {
    while (!this.#stalled && this.#step()) {
      // One step is one frame.
    }
  }

  /** false: more bytes are needed, or nothing more is to come. */
  #step(): boolean {
    switch (this.#state) {
      case 'client-flags': {
        const bytes = this.#take(CLIENT_FLAGS_BYTES);
        return bytes !== null && this.#readClientFlags(bytes);
      }
      case 'option-header': {
        const bytes = this.#take(OPTION_HEADER_BYTES);
        return bytes !== null && this.#readHeader(bytes);
      }
      case 'option-data': {
        const bytes = this.#take(this.#header.dataBytes);
        return bytes !== null && this.#runOption(bytes);
      }
      case 'skip':
        return this.#skip();
      case 'tls':
      case 'transmission':
      case 'closed':
        return false;
    }
  }

  #take(lengthBytes: number): Uint8Array | null {
    if (this.#input.length < lengthBytes) return null;
    const taken = this.#input.subarray(0, lengthBytes);
    this.#input = this.#input.subarray(lengthBytes);
    return taken;
  }

  #readClientFlags(bytes: Uint8Array): boolean {
    const flags = decodeClientFlags(bytes);
    if ((flags & ~OFFERED_FLAGS) !== 0) {
      return this.#close(`unknown client flags 0x${flags.toString(16)}`);
    }
    this.#clientFlags = flags;
    this.#state = 'option-header';
    return true;
  }

  #readHeader(bytes: Uint8Array): boolean {
    try {
      this.#header = decodeOptionHeader(bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return this.#close(error.message);
    }
    this.#optionCount += 1;
    const { option, dataBytes } = this.#header;
    if (this.#optionCount > this.#options.maxOptionCount) return this.#close('too many options');
    if (!(this.#clientFlags & HandshakeFlag.fixedNewstyle) && option !== Option.exportName) {
      return this.#close(`option ${option} without fixed newstyle`);
    }
    if (dataBytes <= this.#options.maxOptionBytes) {
      this.#state = 'option-data';
      return true;
    }
    if (option === Option.exportName || dataBytes > SKIP_LIMIT_BYTES) {
      return this.#close(`option ${option} with ${dataBytes} bytes`);
    }
    this.#skipBytes = dataBytes;
    this.#state = 'skip';
    return true;
  }

  #skip(): boolean {
    const skipped = Math.min(this.#skipBytes, this.#input.length);
    this.#input = this.#input.subarray(skipped);
    this.#skipBytes -= skipped;
    if (this.#skipBytes > 0) return false;
    const { option, dataBytes } = this.#header;
    const limit = this.#options.maxOptionBytes;
    const message = `Option ${option} with ${dataBytes} bytes, at most ${limit}`;
    this.#answer([refusal(OptionReply.errTooBig, message)]);
    this.#state = 'option-header';
    return true;
  }

  #runOption(data: Uint8Array): boolean {
    const result = this.#resultOf(data);
    switch (result.next) {
      case 'option':
        this.#answer(result.answers);
        this.#state = 'option-header';
        return true;
      case 'tls':
        return this.#startTls(result.answers);
      case 'transmission':
        if ('rawAnswer' in result) this.#send(result.rawAnswer);
        else this.#answer(result.answers);
        this.#state = 'transmission';
        this.#peer.enter(result.session, this.#input);
        return false;
      case 'end':
        this.#answer(result.answers);
        this.#state = 'closed';
        this.#peer.end();
        return false;
      case 'close':
        return this.#close(result.reason);
    }
  }

  #resultOf(data: Uint8Array): OptionResult {
    const { option } = this.#header;
    const refused = this.#refusalOf(data);
    // EXPORT_NAME knows no refusal.
    if (refused !== null) {
      const isNamed = option === Option.exportName;
      return isNamed
        ? { next: 'close', reason: refused.message }
        : refuse(refused.type, refused.message);
    }
    try {
      return RULES.get(option)!.run(this.#context(), data);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (option === Option.exportName) return { next: 'close', reason: error.message };
      return refuse(OptionReply.errInvalid, error.message);
    }
  }

  /** Why an option does not reach its rule, in the order that matters. */
  #refusalOf(data: Uint8Array): { type: number; message: string } | null {
    const { option } = this.#header;
    const rule = RULES.get(option);
    if (this.#options.isShuttingDown() && option !== Option.abort) {
      return { type: OptionReply.errShutdown, message: 'The server is shutting down' };
    }
    if (this.#options.tlsMode === 'required' && !this.#tls && !rule?.beforeTls) {
      return { type: OptionReply.errTlsReqd, message: 'This server talks to you over TLS only' };
    }
    if (rule === undefined) {
      return { type: OptionReply.errUnsup, message: `Option ${option} is not known here` };
    }
    if (rule.takesData || data.length === 0) return null;
    const message = `${rule.name} takes no data, got ${data.length} bytes`;
    return { type: OptionReply.errInvalid, message };
  }

  #context(): OptionContext {
    return {
      exports: this.#options.exports,
      defaultExport: this.#options.defaultExport,
      tlsMode: this.#options.tlsMode,
      tls: this.#tls,
      zeroes: (this.#clientFlags & HandshakeFlag.noZeroes) === 0,
      agreement: this.#agreement,
    };
  }

  #startTls(answers: OptionAnswer[]): boolean {
    // Whoever sits between could have put plain options here, to be taken for the client's own once TLS runs.
    if (this.#input.length > 0) return this.#close('plain bytes behind STARTTLS');
    this.#answer(answers);
    this.#state = 'tls';
    this.#peer.startTls();
    return false;
  }

  #answer(answers: readonly OptionAnswer[]): void {
    const { option } = this.#header;
    const frames = answers.map(({ type, data }) => encodeOptionReply(option, type, data));
    this.#send(joinBytes(...frames));
  }

  #send(bytes: Uint8Array): void {
    if (!this.#peer.send(bytes)) this.#stalled = true;
  }

  #close(reason: string): false {
    this.#state = 'closed';
    this.#peer.close(reason);
    return false;
  }
}

function emptyAgreement(): Agreement {
  return { structuredReplies: false, extendedHeaders: false, contexts: [], contextExport: null };
}
