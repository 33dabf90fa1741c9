/** What a server told of an export during the handshake, checked: sizes, block sizes, what it can do. */

import { FormatError } from '../../base/errors.ts';
import { formatBytes, SECTOR_BYTES } from '../../base/units.ts';
import { MAX_PAYLOAD_BYTES, TransmissionFlag } from '../../protocols/nbd/constants.ts';

/** How replies look: no structure, chunks, or chunks with 64-bit lengths. */
export type ReplyKind = 'simple' | 'structured' | 'extended';

export interface ExportInfo {
  readonly sizeBytes: number;
  /** Bits of `TransmissionFlag`. */
  readonly flags: number;
  /** Every request's offset and length is a multiple of it; at least one sector. */
  readonly minimumBytes: number;
  readonly preferredBytes: number;
  /** Of a read's or a write's data, a multiple of `minimumBytes`. */
  readonly maxPayloadBytes: number;
  readonly replies: ReplyKind;
  /** null: the server cannot tell holes from data. */
  readonly allocationContextId: number | null;
}

/** As they come from the wire. */
export interface RawExportInfo {
  size: { sizeBytes: number; flags: number };
  blockSize: { minimumBytes: number; preferredBytes: number; maxPayloadBytes: number } | null;
  replies: ReplyKind;
  allocationContextId: number | null;
}

const LARGEST_MINIMUM_BYTES = 64 * 1024;
const NO_LIMIT = 0xffffffff;

/** Throws FormatError for sizes that the protocol forbids. */
export function exportInfo(raw: RawExportInfo): ExportInfo {
  const { sizeBytes, flags } = raw.size;
  // Servers that say nothing must take these.
  const { minimumBytes, preferredBytes, maxPayloadBytes } = raw.blockSize ?? {
    minimumBytes: 1,
    preferredBytes: SECTOR_BYTES,
    maxPayloadBytes: MAX_PAYLOAD_BYTES,
  };
  if (!isPowerOfTwo(minimumBytes) || minimumBytes > LARGEST_MINIMUM_BYTES) {
    throw problem('minimum', `a power of 2 up to ${LARGEST_MINIMUM_BYTES}`, minimumBytes);
  }
  if (!isPowerOfTwo(preferredBytes) || preferredBytes < minimumBytes) {
    throw problem('preferred', `a power of 2 from the minimum ${minimumBytes} on`, preferredBytes);
  }
  const blockBytes = Math.max(minimumBytes, SECTOR_BYTES);
  if (maxPayloadBytes !== NO_LIMIT && maxPayloadBytes < blockBytes) {
    throw problem('maximum', `at least a block of ${blockBytes}`, maxPayloadBytes);
  }
  const payloadBytes = Math.min(maxPayloadBytes, MAX_PAYLOAD_BYTES);
  return {
    sizeBytes,
    flags,
    minimumBytes: blockBytes,
    preferredBytes: Math.max(preferredBytes, blockBytes),
    maxPayloadBytes: payloadBytes - (payloadBytes % blockBytes),
    replies: raw.replies,
    allocationContextId: raw.allocationContextId,
  };
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function problem(which: string, expected: string, got: number): FormatError {
  return new FormatError({
    format: 'NBD block size information',
    field: which,
    offsetBytes: 0,
    expected: `${expected} bytes`,
    got: `${got} bytes`,
  });
}

export function has(info: ExportInfo, flag: number): boolean {
  return (info.flags & flag) !== 0;
}

const FEATURES: [name: string, flag: number][] = [
  ['flush', TransmissionFlag.sendFlush],
  ['FUA', TransmissionFlag.sendFua],
  ['trim', TransmissionFlag.sendTrim],
  ['write zeroes', TransmissionFlag.sendWriteZeroes],
  ['fast zero', TransmissionFlag.sendFastZero],
  ['cache', TransmissionFlag.sendCache],
];

/**
 * Whether an export that was away is still what devices above were built on; else what changed. More features than before are
 * fine, fewer are not: limits and emulations were chosen by them.
 */
export function whatChanged(before: ExportInfo, now: ExportInfo): string | null {
  if (before.sizeBytes !== now.sizeBytes) {
    const sizes = [before, now].map(
      ({ sizeBytes }) => `${sizeBytes} bytes (${formatBytes(sizeBytes)})`,
    );
    return `its size was ${sizes[0]} and is ${sizes[1]}`;
  }
  if (!has(before, TransmissionFlag.readOnly) && has(now, TransmissionFlag.readOnly)) {
    return 'it became read-only';
  }
  for (const [name, flag] of FEATURES) {
    if (has(before, flag) && !has(now, flag)) return `it lost ${name}`;
  }
  if (before.allocationContextId !== null && now.allocationContextId === null) {
    return 'it lost block status';
  }
  if (now.minimumBytes > before.minimumBytes) {
    return `its minimum block size was ${before.minimumBytes} and is ${now.minimumBytes} bytes`;
  }
  if (now.maxPayloadBytes < before.maxPayloadBytes) {
    return `its maximum payload was ${before.maxPayloadBytes} and is ${now.maxPayloadBytes} bytes`;
  }
  return null;
}
