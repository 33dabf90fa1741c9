/** Frames of the handshake: greeting, client flags, option and option reply headers, the answer to EXPORT_NAME. */

import { writeUint16, writeUint32, writeUint64 } from './bytes.ts';
import { NBD_MAGIC, OPTION_MAGIC, OPTION_REPLY_MAGIC } from './constants.ts';
import { encodeString, FrameReader, joinBytes } from './frame-reader.ts';

export const GREETING_BYTES = 18;
export const CLIENT_FLAGS_BYTES = 4;
export const OPTION_HEADER_BYTES = 16;
export const OPTION_REPLY_HEADER_BYTES = 20;
/** The answer to EXPORT_NAME without and with its 124 zeroes. */
export const EXPORT_REPLY_BYTES = 10;
export const EXPORT_REPLY_PADDED_BYTES = 134;

/** The server's first words; `flags` are bits of `HandshakeFlag`. */
export function encodeGreeting(flags: number): Uint8Array {
  const bytes = new Uint8Array(GREETING_BYTES);
  writeWords(bytes, 0, NBD_MAGIC);
  writeWords(bytes, 8, OPTION_MAGIC);
  writeUint16(bytes, 16, flags);
  return bytes;
}

/** Returns the handshake flags. An oldstyle server's greeting is refused. */
export function decodeGreeting(bytes: Uint8Array): number {
  const reader = new FrameReader('NBD greeting', bytes);
  reader.magic('magic', NBD_MAGIC);
  reader.magic('newstyle magic', OPTION_MAGIC);
  const flags = reader.uint16('handshake flags');
  reader.end();
  return flags;
}

export function encodeClientFlags(flags: number): Uint8Array {
  const bytes = new Uint8Array(CLIENT_FLAGS_BYTES);
  writeUint32(bytes, 0, flags);
  return bytes;
}

export function decodeClientFlags(bytes: Uint8Array): number {
  const reader = new FrameReader('NBD client flags', bytes);
  const flags = reader.uint32('flags');
  reader.end();
  return flags;
}

export interface OptionHeader {
  /** One of `Option`, or a number not known here. */
  option: number;
  dataBytes: number;
}

/** A whole option: header and data. */
export function encodeOption(option: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const header = new Uint8Array(OPTION_HEADER_BYTES);
  writeWords(header, 0, OPTION_MAGIC);
  writeUint32(header, 8, option);
  writeUint32(header, 12, data.length);
  return joinBytes(header, data);
}

export function decodeOptionHeader(bytes: Uint8Array): OptionHeader {
  const reader = new FrameReader('NBD option', bytes);
  reader.magic('magic', OPTION_MAGIC);
  const header = { option: reader.uint32('option'), dataBytes: reader.uint32('length') };
  reader.end();
  return header;
}

export interface OptionReplyHeader extends OptionHeader {
  /** One of `OptionReply`. */
  type: number;
}

/** A whole option reply: header and data. */
export function encodeOptionReply(
  option: number,
  type: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const header = new Uint8Array(OPTION_REPLY_HEADER_BYTES);
  writeWords(header, 0, OPTION_REPLY_MAGIC);
  writeUint32(header, 8, option);
  writeUint32(header, 12, type);
  writeUint32(header, 16, data.length);
  return joinBytes(header, data);
}

export function decodeOptionReplyHeader(bytes: Uint8Array): OptionReplyHeader {
  const reader = new FrameReader('NBD option reply', bytes);
  reader.magic('magic', OPTION_REPLY_MAGIC);
  const option = reader.uint32('option');
  const type = reader.uint32('reply type');
  const dataBytes = reader.uint32('length');
  reader.end();
  return { option, type, dataBytes };
}

export interface ExportSize {
  sizeBytes: number;
  /** Bits of `TransmissionFlag`. */
  flags: number;
}

/** The answer to EXPORT_NAME; `zeroes` unless NO_ZEROES was negotiated. */
export function encodeExportReply(
  { sizeBytes, flags }: ExportSize,
  { zeroes }: { zeroes: boolean },
): Uint8Array {
  const bytes = new Uint8Array(zeroes ? EXPORT_REPLY_PADDED_BYTES : EXPORT_REPLY_BYTES);
  writeUint64(bytes, 0, sizeBytes);
  writeUint16(bytes, 8, flags);
  return bytes;
}

/** Reads the first 10 bytes; the zeroes behind them are the caller's to skip. */
export function decodeExportReply(bytes: Uint8Array): ExportSize {
  const reader = new FrameReader('NBD export reply', bytes);
  return { sizeBytes: reader.uint64('size'), flags: reader.uint16('transmission flags') };
}

/** A row of the answer to LIST. */
export interface ListedExport {
  name: string;
  description: string;
}

export function encodeListedExport({ name, description }: ListedExport): Uint8Array {
  const nameBytes = encodeString('export name', name);
  const head = new Uint8Array(4);
  writeUint32(head, 0, nameBytes.length);
  return joinBytes(head, nameBytes, encodeString('description', description));
}

export function decodeListedExport(bytes: Uint8Array): ListedExport {
  const reader = new FrameReader('NBD export list entry', bytes);
  const name = reader.string('export name', reader.uint32('name length'));
  return { name, description: reader.rest('description') };
}

function writeWords(bytes: Uint8Array, at: number, [high, low]: readonly [number, number]): void {
  writeUint32(bytes, at, high);
  writeUint32(bytes, at + 4, low);
}
