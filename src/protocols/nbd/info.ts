/** INFO and GO: what the client asks about an export, and the information blocks that answer. */

import { writeUint16, writeUint32 } from './bytes.ts';
import { Info } from './constants.ts';
import { encodeString, FrameReader, joinBytes } from './frame-reader.ts';
import { encodeExportReply } from './handshake.ts';

/** Data of INFO and GO. */
export interface InfoRequest {
  exportName: string;
  /** Numbers of `Info`, or unknown ones. */
  infos: number[];
}

export function encodeInfoRequest({ exportName, infos }: InfoRequest): Uint8Array {
  const name = encodeString('export name', exportName);
  const head = new Uint8Array(4);
  writeUint32(head, 0, name.length);
  const tail = new Uint8Array(2 + 2 * infos.length);
  writeUint16(tail, 0, infos.length);
  infos.forEach((info, index) => {
    writeUint16(tail, 2 + 2 * index, info);
  });
  return joinBytes(head, name, tail);
}

export function decodeInfoRequest(bytes: Uint8Array): InfoRequest {
  const reader = new FrameReader('NBD info request', bytes);
  const exportName = reader.string('export name', reader.uint32('name length'));
  const count = reader.uint16('number of information requests');
  if (reader.remaining !== 2 * count) {
    throw reader.problem('information requests', `${2 * count} bytes`, `${reader.remaining} bytes`);
  }
  const infos: number[] = [];
  while (reader.remaining > 0) infos.push(reader.uint16('information request'));
  return { exportName, infos };
}

/** One information block: data of an option reply of type `info`. */
export type InfoBlock =
  | { info: typeof Info.export; sizeBytes: number; flags: number }
  | { info: typeof Info.name; name: string }
  | { info: typeof Info.description; description: string }
  | {
      info: typeof Info.blockSize;
      minimumBytes: number;
      preferredBytes: number;
      maxPayloadBytes: number;
    };

export function encodeInfo(block: InfoBlock): Uint8Array {
  const head = new Uint8Array(2);
  writeUint16(head, 0, block.info);
  return joinBytes(head, encodeInfoPayload(block));
}

function encodeInfoPayload(block: InfoBlock): Uint8Array {
  switch (block.info) {
    case Info.export:
      return encodeExportReply(block, { zeroes: false });
    case Info.name:
      return encodeString('export name', block.name);
    case Info.description:
      return encodeString('description', block.description);
    case Info.blockSize: {
      const bytes = new Uint8Array(12);
      writeUint32(bytes, 0, block.minimumBytes);
      writeUint32(bytes, 4, block.preferredBytes);
      writeUint32(bytes, 8, block.maxPayloadBytes);
      return bytes;
    }
  }
}

/** null for a block of a kind not known here, which a client ignores. */
export function decodeInfo(bytes: Uint8Array): InfoBlock | null {
  const reader = new FrameReader('NBD information', bytes);
  const block = decodeInfoPayload(reader, reader.uint16('information type'));
  if (block !== null) reader.end();
  return block;
}

function decodeInfoPayload(reader: FrameReader, info: number): InfoBlock | null {
  switch (info) {
    case Info.export: {
      const sizeBytes = reader.uint64('size');
      return { info, sizeBytes, flags: reader.uint16('transmission flags') };
    }
    case Info.name:
      return { info, name: reader.rest('export name') };
    case Info.description:
      return { info, description: reader.rest('description') };
    case Info.blockSize: {
      const minimumBytes = reader.uint32('minimum block size');
      const preferredBytes = reader.uint32('preferred block size');
      const maxPayloadBytes = reader.uint32('maximum payload');
      return { info, minimumBytes, preferredBytes, maxPayloadBytes };
    }
    default:
      return null;
  }
}
