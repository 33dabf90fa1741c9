/**
 * A whole request or reply: header and payload. Requests as a client makes them, replies as it takes them apart.
 *
 * A client says in `data_size` how much room it has for the answer; what is behind its own payload need not be sent
 * over the socket (ioctl(2) needs the memory).
 */

import { DmError } from '../../base/errors.ts';
import type { DeviceNumber } from '../../core/device.ts';
import { HEADER_BYTES, Header, PAYLOAD_START, type Version } from './header.ts';

/** What libdevmapper sends too, so that every 4.x kernel takes it; newer commands need nothing newer either. */
export const CLIENT_VERSION: Version = [4, 0, 0];

export interface RequestFields {
  flags?: number;
  name?: string;
  uuid?: string;
  number?: DeviceNumber;
  eventNumber?: number;
  targetCount?: number;
  payload?: Uint8Array;
  /** `data_size`: room for header and answer. At least what the request itself takes. */
  dataSizeBytes?: number;
}

/** As long as header and payload; `data_size` may say more. */
export function encodeRequest(fields: RequestFields): Uint8Array {
  const payload = fields.payload ?? new Uint8Array(0);
  const bytes = new Uint8Array(PAYLOAD_START + payload.length);
  bytes.set(payload, PAYLOAD_START);
  const header = new Header(bytes);
  header.version = CLIENT_VERSION;
  header.dataSize = Math.max(bytes.length, fields.dataSizeBytes ?? 0);
  header.dataStart = PAYLOAD_START;
  header.put(fields.flags ?? 0, true);
  if (fields.name !== undefined) header.name = fields.name;
  if (fields.uuid !== undefined) header.uuid = fields.uuid;
  if (fields.number !== undefined) header.number = fields.number;
  header.eventNumber = fields.eventNumber ?? 0;
  header.targetCount = fields.targetCount ?? 0;
  return bytes;
}

export interface DecodedReply {
  header: Header;
  /** From `data_start` to `data_size`; empty without payload. */
  payload: Uint8Array;
}

/** Throws EPROTO when the fields do not fit the bytes. */
export function decodeReply(bytes: Uint8Array): DecodedReply {
  if (bytes.length < HEADER_BYTES) {
    throw new DmError(
      'EPROTO',
      `Cannot read reply: expected at least ${HEADER_BYTES} bytes, got ${bytes.length}`,
    );
  }
  const header = new Header(bytes);
  const { dataSize, dataStart } = header;
  if (dataSize > bytes.length) {
    throw new DmError(
      'EPROTO',
      `Cannot read reply: data_size is ${dataSize}, the reply has ${bytes.length} bytes`,
    );
  }
  // Without payload the kernel leaves data_start as it was in the request.
  const payload =
    dataStart >= HEADER_BYTES && dataStart < dataSize
      ? bytes.subarray(dataStart, dataSize)
      : new Uint8Array(0);
  return { header, payload };
}
