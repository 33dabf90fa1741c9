/**
 * The client's side of the newstyle handshake, from the greeting to the transmission phase:
 * STARTTLS, EXTENDED_HEADERS or STRUCTURED_REPLY, SET_META_CONTEXT, GO (else EXPORT_NAME), LIST for a helpful refusal.
 * Source: github.com/NetworkBlockDevice/nbd doc/proto.md, and its branch extension-ext-header.
 */

import { DmError, FormatError } from '../../base/errors.ts';
import {
  HandshakeFlag,
  Info,
  NBD_MAGIC,
  Option,
  OptionReply,
  TransmissionFlag,
} from '../../protocols/nbd/constants.ts';
import { encodeString, FrameReader } from '../../protocols/nbd/frame-reader.ts';
import {
  decodeExportReply,
  decodeGreeting,
  decodeListedExport,
  decodeOptionReplyHeader,
  EXPORT_REPLY_BYTES,
  EXPORT_REPLY_PADDED_BYTES,
  encodeClientFlags,
  encodeOption,
  GREETING_BYTES,
  OPTION_REPLY_HEADER_BYTES,
} from '../../protocols/nbd/handshake.ts';
import { decodeInfo, encodeInfoRequest } from '../../protocols/nbd/info.ts';
import {
  BASE_ALLOCATION,
  decodeMetaContext,
  encodeMetaContextRequest,
} from '../../protocols/nbd/meta-context.ts';
import { type ExportInfo, exportInfo, type ReplyKind } from './export-info.ts';
import type { HandshakeStream } from './handshake-stream.ts';

/** The high word of an oldstyle server's second magic number, 0x00420281861253. */
const OLDSTYLE_MAGIC = [0x00004202, 0x81861253] as const;
const OPTION_DATA_LIMIT_BYTES = 64 * 1024;
/** Infos of one GO, or contexts of one query: more is a server that never stops. */
const OPTION_REPLY_LIMIT = 100;
/** Exports read of a LIST, and named in a message. */
const LIST_LIMIT = 10_000;
const LIST_SHOWN = 10;

export interface NegotiationOptions {
  exportName: string;
  /** Replaces the stream's wire by an encrypted one; null: no TLS. */
  startTls: (() => Promise<void>) | null;
}

/** Leaves the stream at the first byte of the transmission phase. Rejects with DmError or FormatError. */
export async function negotiate(
  stream: HandshakeStream,
  options: NegotiationOptions,
): Promise<ExportInfo> {
  const flags = await readGreeting(stream);
  const noZeroes = (flags & HandshakeFlag.noZeroes) !== 0;
  const fixed = (flags & HandshakeFlag.fixedNewstyle) !== 0;
  stream.write(
    encodeClientFlags(
      (fixed ? HandshakeFlag.fixedNewstyle : 0) | (noZeroes ? HandshakeFlag.noZeroes : 0),
    ),
  );
  const negotiator = new Negotiator(stream, options.exportName);
  if (options.startTls) {
    if (!fixed) throw noTls('its newstyle is not "fixed"');
    await negotiator.startTls(options.startTls);
  }
  if (!fixed) return negotiator.exportByName(noZeroes);
  return (await negotiator.go()) ?? (await negotiator.exportByName(noZeroes));
}

async function readGreeting(stream: HandshakeStream): Promise<number> {
  const greeting = await stream.read(GREETING_BYTES);
  const reader = new FrameReader('NBD greeting', greeting);
  reader.magic('magic', NBD_MAGIC);
  if (
    reader.uint32('magic') === OLDSTYLE_MAGIC[0] &&
    reader.uint32('magic') === OLDSTYLE_MAGIC[1]
  ) {
    throw new DmError(
      'ENOTSUP',
      'the server speaks the oldstyle NBD protocol; expected newstyle (for nbdkit: without --oldstyle)',
    );
  }
  return decodeGreeting(greeting);
}

function noTls(why: string): DmError {
  return new DmError(
    'EPROTO',
    `the server does not offer TLS (${why}), and nbds:// insists on it; nbd:// connects without`,
  );
}

/** How an option ended: the data of the replies before, the type of the last, and its text if it is an error. */
interface Outcome {
  /** `OptionReply.ack` or one of its errors. */
  type: number;
  rows: { type: number; data: Uint8Array }[];
  message: string;
}

class Negotiator {
  readonly #stream: HandshakeStream;
  readonly #exportName: string;

  constructor(stream: HandshakeStream, exportName: string) {
    this.#stream = stream;
    this.#exportName = exportName;
  }

  async startTls(upgrade: () => Promise<void>): Promise<void> {
    const outcome = await this.#option(Option.starttls);
    if (outcome.type !== OptionReply.ack) throw noTls(describeError(outcome));
    // What came with the acknowledgement was not encrypted, so anybody can have put it there.
    if (this.#stream.bufferedBytes > 0) {
      const got = `${this.#stream.bufferedBytes} bytes in the clear`;
      throw problem('STARTTLS reply', 'end', 'nothing before the TLS handshake', got);
    }
    await upgrade();
  }

  /** null when the server does not know GO. */
  async go(): Promise<ExportInfo | null> {
    const replies = await this.#chooseReplies();
    const allocationContextId = replies === 'simple' ? null : await this.#allocationContext();
    const data = encodeInfoRequest({ exportName: this.#exportName, infos: [Info.blockSize] });
    const outcome = await this.#option(Option.go, data);
    if (outcome.type === OptionReply.errUnsup && replies !== 'extended') return null;
    if (outcome.type !== OptionReply.ack) throw await this.#refusal(outcome);
    const blocks = outcome.rows.map(({ data: row }) => decodeInfo(row));
    const size = blocks.find((block) => block?.info === Info.export);
    if (size?.info !== Info.export) {
      throw problem('GO reply', 'export information', 'size and flags', 'none');
    }
    const blockSize = blocks.find((block) => block?.info === Info.blockSize);
    return exportInfo({
      size,
      blockSize: blockSize?.info === Info.blockSize ? blockSize : null,
      replies,
      allocationContextId,
    });
  }

  /** The old way in: the server answers with the size, or hangs up. */
  async exportByName(noZeroes: boolean): Promise<ExportInfo> {
    const name = encodeString('export name', this.#exportName);
    this.#stream.write(encodeOption(Option.exportName, name));
    const lengthBytes = noZeroes ? EXPORT_REPLY_BYTES : EXPORT_REPLY_PADDED_BYTES;
    const reply = await this.#stream.read(lengthBytes).catch((error: unknown) => {
      const why = 'it hung up, as old servers do when there is no such export';
      throw new DmError('ENOENT', `the server refuses export ${quote(this.#exportName)}: ${why}`, {
        cause: error,
      });
    });
    const size = decodeExportReply(reply);
    if ((size.flags & TransmissionFlag.hasFlags) === 0) {
      throw problem('export reply', 'transmission flags', 'bit 0 set', `${size.flags}`);
    }
    return exportInfo({ size, blockSize: null, replies: 'simple', allocationContextId: null });
  }

  /** The richest kind of reply that the server knows. */
  async #chooseReplies(): Promise<ReplyKind> {
    const extended = await this.#option(Option.extendedHeaders);
    if (extended.type === OptionReply.ack) return 'extended';
    this.#refuseIfTlsRequired(extended);
    const structured = await this.#option(Option.structuredReply);
    this.#refuseIfTlsRequired(structured);
    return structured.type === OptionReply.ack ? 'structured' : 'simple';
  }

  #refuseIfTlsRequired(outcome: Outcome): void {
    if (outcome.type === OptionReply.errTlsReqd) throw tlsRequired();
  }

  async #allocationContext(): Promise<number | null> {
    const outcome = await this.#option(
      Option.setMetaContext,
      encodeMetaContextRequest({ exportName: this.#exportName, queries: [BASE_ALLOCATION] }),
    );
    this.#refuseIfTlsRequired(outcome);
    // An export that does not exist is better refused by GO.
    if (outcome.type !== OptionReply.ack) return null;
    const contexts = outcome.rows.map(({ data }) => decodeMetaContext(data));
    return contexts.find(({ name }) => name === BASE_ALLOCATION)?.id ?? null;
  }

  async #refusal(outcome: Outcome): Promise<DmError> {
    const name = quote(this.#exportName);
    switch (outcome.type) {
      case OptionReply.errUnknown: {
        const hint = await this.#listExports();
        return new DmError('ENOENT', `the server has no export ${name}${hint}`);
      }
      case OptionReply.errTlsReqd:
        return tlsRequired();
      case OptionReply.errPolicy:
        return new DmError(
          'EACCES',
          `the server refuses export ${name}: ${describeError(outcome)}`,
        );
      default:
        return new DmError(
          'EPROTO',
          `the server refuses export ${name}: ${describeError(outcome)}`,
        );
    }
  }

  /** `; exports there: "a", "b"`, or nothing when the server does not tell. */
  async #listExports(): Promise<string> {
    try {
      const outcome = await this.#option(Option.list);
      if (outcome.type !== OptionReply.ack) return '';
      const names = outcome.rows.map(({ data }) => quote(decodeListedExport(data).name));
      if (names.length === 0) return '; it lists none';
      const more = names.length > LIST_SHOWN ? ` and ${names.length - LIST_SHOWN} more` : '';
      return `; exports there: ${names.slice(0, LIST_SHOWN).join(', ')}${more}`;
    } catch (error) {
      // The refusal stands even if the list is not to be had.
      if (error instanceof DmError || error instanceof FormatError) return '';
      throw error;
    } finally {
      this.#stream.write(encodeOption(Option.abort));
    }
  }

  async #option(option: number, data?: Uint8Array): Promise<Outcome> {
    this.#stream.write(encodeOption(option, data));
    const limit = option === Option.list ? LIST_LIMIT : OPTION_REPLY_LIMIT;
    const rows: Outcome['rows'] = [];
    for (;;) {
      const reply = await this.#optionReply(option);
      if (reply.type >= 0x80000000)
        return { type: reply.type, rows, message: errorText(reply.data) };
      if (reply.type === OptionReply.ack) return { type: reply.type, rows, message: '' };
      if (!isRowOf(option, reply.type)) {
        throw problem('option reply', 'reply type', 'one that fits the option', `${reply.type}`);
      }
      rows.push(reply);
      if (rows.length > limit) {
        throw problem('option reply', 'number of replies', `at most ${limit}`, 'more');
      }
    }
  }

  async #optionReply(option: number): Promise<{ type: number; data: Uint8Array }> {
    const header = decodeOptionReplyHeader(await this.#stream.read(OPTION_REPLY_HEADER_BYTES));
    if (header.option !== option) {
      throw problem('option reply', 'option', `${option}`, `${header.option}`);
    }
    if (header.dataBytes > OPTION_DATA_LIMIT_BYTES) {
      const expected = `at most ${OPTION_DATA_LIMIT_BYTES} bytes`;
      throw problem('option reply', 'length', expected, `${header.dataBytes} bytes`);
    }
    return { type: header.type, data: await this.#stream.read(header.dataBytes) };
  }
}

function isRowOf(option: number, type: number): boolean {
  if (option === Option.list) return type === OptionReply.server;
  if (option === Option.go) return type === OptionReply.info;
  return option === Option.setMetaContext && type === OptionReply.metaContext;
}

function tlsRequired(): DmError {
  return new DmError('EACCES', 'the server requires TLS: use nbds:// instead of nbd://');
}

const errorNames = new Map<number, string>([
  [OptionReply.errUnsup, 'it does not know the option'],
  [OptionReply.errPolicy, 'its policy forbids it'],
  [OptionReply.errInvalid, 'it calls the request invalid'],
  [OptionReply.errPlatform, 'its platform lacks something'],
  [OptionReply.errTlsReqd, 'it requires TLS'],
  [OptionReply.errUnknown, 'it does not know the export'],
  [OptionReply.errShutdown, 'it is shutting down'],
  [OptionReply.errBlockSizeReqd, 'it insists on block sizes'],
  [OptionReply.errTooBig, 'it calls the request too big'],
  [OptionReply.errExtHeaderReqd, 'it requires extended headers'],
]);

function describeError({ type, message }: Outcome): string {
  const name = errorNames.get(type) ?? `error ${type - 0x80000000}`;
  return message === '' ? name : `${name}: ${quote(message)}`;
}

/** Servers explain themselves in any encoding and length: kept short, and what is not UTF-8 is replaced. */
function errorText(data: Uint8Array): string {
  return Buffer.from(data.subarray(0, 512)).toString('utf8');
}

/** Quoted so that nothing a server sends can steer a terminal. */
function quote(text: string): string {
  return JSON.stringify(text).replace(
    // JSON escapes the control characters below, but leaves these as they are.
    /[\x7f-\x9f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function problem(format: string, field: string, expected: string, got: string): FormatError {
  return new FormatError({ format: `NBD ${format}`, field, offsetBytes: 0, expected, got });
}
