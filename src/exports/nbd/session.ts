/** What the handshake agreed on: all that the transmission phase needs to know. */

import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import type { Limits } from '../../core/limits.ts';
import { MAX_PAYLOAD_BYTES, TransmissionFlag } from '../../protocols/nbd/constants.ts';
import type { MetaContext } from '../../protocols/nbd/meta-context.ts';
import type { NbdExport } from './exports.ts';

/** Choices that a client makes before it names an export. STARTTLS forgets all of them. */
export interface Agreement {
  structuredReplies: boolean;
  /** Takes precedence over structured replies. */
  extendedHeaders: boolean;
  /** What SET_META_CONTEXT selected last, and for which export. */
  contexts: readonly MetaContext[];
  contextExport: NbdExport | null;
}

export interface NbdSession {
  readonly export: NbdExport;
  readonly structuredReplies: boolean;
  readonly extendedHeaders: boolean;
  readonly contexts: readonly MetaContext[];
  readonly tls: boolean;
  /** As the client was told; the device may have another size by now. */
  readonly sizeBytes: number;
  /** Bits of `TransmissionFlag`, as the client was told. */
  readonly transmissionFlags: number;
  /** Whoever runs the transmission calls it once, when the connection is gone and no request is under way. */
  release(): void;
}

/** Opens `item` for a client; throws what `item.open` throws. */
export function openSession(
  item: NbdExport,
  agreement: Agreement,
  options: { tls: boolean },
): NbdSession {
  const close = item.open();
  let open = true;
  return {
    export: item,
    structuredReplies: agreement.structuredReplies,
    extendedHeaders: agreement.extendedHeaders,
    contexts: agreedContexts(item, agreement),
    tls: options.tls,
    sizeBytes: exportSizeBytes(item),
    transmissionFlags: transmissionFlags(item, agreement),
    release() {
      if (!open) return;
      open = false;
      close();
    },
  };
}

/** Contexts count only for the export they were selected for. */
function agreedContexts(item: NbdExport, agreement: Agreement): readonly MetaContext[] {
  const other = agreement.contextExport;
  return other?.name === item.name && other.device === item.device ? agreement.contexts : [];
}

export function exportSizeBytes(item: NbdExport): number {
  return sectorsToBytes(item.device.sizeSectors);
}

/** What the export can do, for a client that agreed on so much. */
export function transmissionFlags(item: NbdExport, agreement: Agreement): number {
  const { device } = item;
  const chunked = agreement.structuredReplies || agreement.extendedHeaders;
  // One engine stands behind all connections and a flush covers everything that ended before it, whoever sent it.
  let flags =
    TransmissionFlag.hasFlags |
    TransmissionFlag.sendFlush |
    TransmissionFlag.sendFua |
    TransmissionFlag.sendCache |
    TransmissionFlag.canMultiConn;
  if (chunked) flags |= TransmissionFlag.sendDf;
  if (agreement.extendedHeaders && agreedContexts(item, agreement).length > 0) {
    flags |= TransmissionFlag.blockStatusPayload;
  }
  if (item.readOnly || device.readOnly) return flags | TransmissionFlag.readOnly;
  flags |= TransmissionFlag.sendWriteZeroes | TransmissionFlag.sendFastZero;
  if (device.limits.discardGranularityBytes > 0) flags |= TransmissionFlag.sendTrim;
  return flags;
}

const PREFERRED_BYTES = 4096;
/** No client is told to work in larger pieces than this, whatever the stripes below. */
const PREFERRED_LIMIT_BYTES = 1024 * 1024;

export interface BlockSizes {
  minimumBytes: number;
  preferredBytes: number;
  maxPayloadBytes: number;
}

/** The size constraints of an export; minimum and preferred are powers of two, as the protocol wants. */
export function blockSizes(limits: Limits): BlockSizes {
  const minimumBytes = Math.max(limits.logicalBlockBytes, SECTOR_BYTES);
  const wanted = Math.max(limits.ioMinBytes, limits.ioOptBytes, limits.physicalBlockBytes);
  const floor = Math.max(PREFERRED_BYTES, minimumBytes);
  const preferredBytes = Math.max(floor, powerOfTwo(Math.min(wanted, PREFERRED_LIMIT_BYTES)));
  return { minimumBytes, preferredBytes, maxPayloadBytes: MAX_PAYLOAD_BYTES };
}

/** The next power of two, the number itself if it is one. */
function powerOfTwo(value: number): number {
  return value <= 1 ? 1 : 2 ** Math.ceil(Math.log2(value));
}
