/**
 * struct dm_target_spec, a row of a table on the wire: in TABLE_LOAD requests, and in TABLE_STATUS and DEV_WAIT replies.
 * Behind each comes a string (arguments or status), then padding to a multiple of 8.
 *
 * sector_start u64, length u64, status s32, next u32, target_type 16 bytes. `next` is where the next one begins: in a
 * request counted from this one, in a reply from the first one.
 */

import { isUtf8 } from 'node:buffer';
import { DmError } from '../../base/errors.ts';
import { encodeShown, hideSecrets, readArguments, wipeSecrets } from '../../core/line-secrets.ts';
import type { RowSpec } from '../../core/table.ts';
import type { Secret } from '../../crypto/secret.ts';
import { TYPE_BYTES } from './commands.ts';
import { PAYLOAD_START } from './header.ts';
import {
  align,
  bufferOf,
  readNumber64,
  readTerminated,
  readText,
  terminatedBytes,
  textBytes,
  writeNumber64,
  writeText,
} from './text.ts';

const Offset = { start: 0, length: 8, status: 16, next: 20, type: 24 } as const;
const SPEC_BYTES = 40;

/** The payload of a TABLE_LOAD request. */
export function encodeTable(rows: readonly RowSpec[]): Uint8Array {
  const sizes = rows.map((row) => align(SPEC_BYTES + paramsBytes(row)));
  const bytes = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0));
  let offset = 0;
  for (const [index, row] of rows.entries()) {
    writeRow(bytes, offset, row, sizes[index]!);
    offset += sizes[index]!;
  }
  return bytes;
}

function writeRow(bytes: Buffer, offset: number, row: RowSpec, next: number): void {
  writeNumber64(bytes, offset + Offset.start, row.start);
  writeNumber64(bytes, offset + Offset.length, row.length);
  bytes.writeInt32LE(0, offset + Offset.status);
  bytes.writeUInt32LE(next, offset + Offset.next);
  writeText(bytes, offset + Offset.type, TYPE_BYTES, row.type, 'target type');
  writeParams(bytes, offset + SPEC_BYTES, row);
}

function writeParams(bytes: Buffer, offset: number, { params, secrets }: RowSpec): void {
  if (secrets === undefined || secrets.length === 0) {
    bytes.write(params, offset, 'utf8');
    return;
  }
  const shown = encodeShown({ text: params, secrets });
  bytes.set(shown, offset);
  shown.fill(0);
}

/** With the final NUL, and the keys that the text only names. */
function paramsBytes({ params, secrets = [] }: RowSpec): number {
  return textBytes(hideSecrets(params, secrets));
}

/**
 * The rows of a TABLE_LOAD request, one at a time: the next is only looked at when the one before was taken, so that
 * what is wrong is found in the kernel's order. `bytes` is the whole request up to its data_size.
 */
export function* decodeTable(
  bytes: Uint8Array,
  dataStart: number,
  targetCount: number,
): Generator<RowSpec, void, undefined> {
  const buffer = bufferOf(bytes);
  let position = 0;
  let next = dataStart;
  let leastNext = PAYLOAD_START;
  for (let index = 0; index < targetCount; index += 1) {
    if (next < leastNext) {
      const before = index > 0 ? 'previous target' : 'struct dm_ioctl';
      throw malformed(`next target spec (offset ${next}) overlaps ${before}`);
    }
    if (buffer.length - position - SPEC_BYTES <= next) {
      throw malformed('Target spec extends beyond end of parameters');
    }
    if (next % 8 !== 0) {
      throw malformed(`Next dm_target_spec (offset ${next}) is not 8-byte aligned`);
    }
    position += next;
    const row = readRow(buffer, position);
    leastNext = SPEC_BYTES + row.textBytes;
    next = buffer.readUInt32LE(position + Offset.next);
    try {
      yield row;
    } finally {
      wipeSecrets(row.secrets);
    }
  }
}

/** A row of a request; its key stands beside it and in no string. */
interface RequestRow extends RowSpec {
  secrets: readonly Secret[];
  /** Of the arguments as they came, with the NUL. */
  textBytes: number;
}

function readRow(buffer: Buffer, position: number): RequestRow {
  const textStart = position + SPEC_BYTES;
  const bytes = terminatedBytes(buffer, textStart, buffer.length);
  if (bytes === null) throw malformed('target parameters not NUL-terminated');
  if (!isUtf8(bytes)) throw malformed('target parameters are not UTF-8');
  const { start, length, type } = readPlace(buffer, position);
  const { text, secrets } = readArguments(type, bytes);
  return { start, length, type, params: text, secrets, textBytes: bytes.length + 1 };
}

function readPlace(buffer: Buffer, position: number) {
  const typeStart = position + Offset.type;
  return {
    start: readNumber64(buffer, position + Offset.start),
    length: readNumber64(buffer, position + Offset.length),
    type: readText(buffer, typeStart, typeStart + TYPE_BYTES, 'target type'),
  };
}

/** A row of a reply, with all that is in it. */
function readReplyRow(buffer: Buffer, position: number): RowSpec {
  const textStart = position + SPEC_BYTES;
  const params = readTerminated(buffer, textStart, buffer.length, 'target parameters');
  if (params === null) throw malformed('target parameters not NUL-terminated');
  return { ...readPlace(buffer, position), params };
}

function malformed(problem: string): DmError {
  return new DmError('EINVAL', `Cannot read table: ${problem}`);
}

export interface EncodedRows {
  /** As far as they fit into the room. */
  payload: Uint8Array;
  /** Something is missing: the caller needs more room. */
  isFull: boolean;
}

/** The payload of a reply, in at most `roomBytes`. A row fits if a byte is left behind its string, as the kernel judges. */
export function encodeRows(rows: Iterable<RowSpec>, roomBytes: number): EncodedRows {
  const placed: { offset: number; row: RowSpec; next: number }[] = [];
  let usedBytes = 0;
  let offset = 0;
  let isFull = false;
  for (const row of rows) {
    const lengthBytes = SPEC_BYTES + paramsBytes(row);
    const next = align(offset + lengthBytes);
    if (offset + lengthBytes >= roomBytes) {
      isFull = true;
      break;
    }
    usedBytes = offset + lengthBytes;
    isFull = next > roomBytes;
    placed.push({ offset, row, next: isFull ? 0 : next });
    if (isFull) break;
    offset = next;
  }
  const payload = Buffer.alloc(usedBytes);
  for (const each of placed) writeRow(payload, each.offset, each.row, each.next);
  return { payload, isFull };
}

/** The rows of a TABLE_STATUS or DEV_WAIT reply. */
export function decodeRows(payload: Uint8Array, targetCount: number): RowSpec[] {
  const buffer = bufferOf(payload);
  const rows: RowSpec[] = [];
  let position = 0;
  for (let index = 0; index < targetCount; index += 1) {
    if (position + SPEC_BYTES >= buffer.length) {
      throw brokenReply(`row ${index} of ${targetCount} begins at byte ${position}`, buffer);
    }
    rows.push(readReplyRow(buffer, position));
    const next = buffer.readUInt32LE(position + Offset.next);
    if (next <= position && index + 1 < targetCount) {
      throw brokenReply(`row ${index + 1} begins at byte ${next}, inside the one before`, buffer);
    }
    position = next;
  }
  return rows;
}

function brokenReply(problem: string, { length }: Buffer): DmError {
  return new DmError('EPROTO', `Cannot read rows of a reply: ${problem} of ${length}`);
}
