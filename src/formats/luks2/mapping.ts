/** The rows a device mapper makes of the segments, and which keys they need. */

import { DmError } from '../../base/errors.ts';
import type { MappedSegment } from '../luks/types.ts';
import {
  isBackupSegment,
  isCryptSegment,
  type Luks2CryptSegment,
  type Luks2Metadata,
  type Luks2Segment,
} from './metadata.ts';

const SECTOR_BYTES = 512;

/** Of a row without encryption. */
const NO_DIGEST = -1;

/** Those that map something, in order. */
export function regularSegments(metadata: Luks2Metadata): [number, Luks2Segment][] {
  return [...metadata.segments]
    .filter(([, segment]) => !isBackupSegment(segment))
    .sort(([one], [other]) => one - other);
}

/** The segment that says what the volume is: what it will be, while it is re-encrypted. */
export function defaultSegment(metadata: Luks2Metadata): [number, Luks2Segment] {
  for (const entry of metadata.segments) if (entry[1].flags?.includes('backup-final')) return entry;
  return [0, metadata.segments.get(0)!];
}

/** `defaultSegment` if it is encrypted, else the first one that is. */
export function defaultCryptSegment(metadata: Luks2Metadata): Luks2CryptSegment | null {
  const [, segment] = defaultSegment(metadata);
  if (isCryptSegment(segment)) return segment;
  for (const [, other] of metadata.segments) if (isCryptSegment(other)) return other;
  return null;
}

/** The digest of a segment's key; null: it has none. */
export function digestOfSegment(metadata: Luks2Metadata, segment: number): number | null {
  for (const [number, digest] of metadata.digests) {
    if (digest.segments.includes(String(segment))) return number;
  }
  return null;
}

/** The digest of a slot's key; null: it has none. */
export function digestOfKeyslot(metadata: Luks2Metadata, slot: number): number | null {
  for (const [number, digest] of metadata.digests) {
    if (digest.keyslots.includes(String(slot))) return number;
  }
  return null;
}

/** Whether the slot's key opens none of the data. */
export function isUnboundSlot(metadata: Luks2Metadata, slot: number): boolean {
  const digest = digestOfKeyslot(metadata, slot);
  return digest === null || metadata.digests.get(digest)!.segments.length === 0;
}

/** Nobody can say which sectors of a step that was interrupted are old: to read them may give nonsense, to write them destroys others. */
function refuseHot(metadata: Luks2Metadata, name: string): void {
  for (const segment of metadata.segments.values()) {
    if (!segment.flags?.includes('in-reencryption')) continue;
    throw new DmError(
      'EBUSY',
      `Cannot open ${name}: Device requires reencryption recovery. Run repair first. Its re-encryption was interrupted in the middle of a step`,
    );
  }
}

export interface MappedSizes {
  dataSizeBytes: number;
  /** A volume that ends before its device does; null: there it ends. */
  volumeSizeBytes: number | null;
}

/** Rows for a data device of that size. Throws DmError EBUSY while a step of re-encryption waits for recovery, EINVAL when it is too small or does not end on a sector's boundary. */
export function mapSegments(
  metadata: Luks2Metadata,
  { dataSizeBytes, volumeSizeBytes }: MappedSizes,
  name: string,
): MappedSegment[] {
  const rows: MappedSegment[] = [];
  let startSectors = 0;
  refuseHot(metadata, name);
  for (const [number, segment] of regularSegments(metadata)) {
    const refuse = (code: 'EINVAL' | 'ENOTSUP', reason: string) =>
      new DmError(code, `Cannot map segment ${number} of ${name}: ${reason}`);
    const offsetBytes = Number(segment.offset);
    const isLast = segment.size === 'dynamic';
    const restBytes = (volumeSizeBytes ?? Infinity) - startSectors * SECTOR_BYTES;
    const lengthBytes = isLast
      ? Math.min(dataSizeBytes - offsetBytes, restBytes)
      : Number(segment.size);
    if (lengthBytes <= 0 || offsetBytes + lengthBytes > dataSizeBytes) {
      const wantedBytes = offsetBytes + Math.max(lengthBytes, SECTOR_BYTES);
      throw refuse(
        'EINVAL',
        `Device is too small: it needs ${wantedBytes} bytes, the device has ${dataSizeBytes}`,
      );
    }
    const cipher = cipherOf(segment, refuse);
    if (lengthBytes % cipher.sectorBytes !== 0) {
      throw refuse(
        'EINVAL',
        `Device size is not aligned to requested sector size: ${lengthBytes} bytes are no multiple of ${cipher.sectorBytes}`,
      );
    }
    const lengthSectors = lengthBytes / SECTOR_BYTES;
    rows.push({
      startSectors,
      lengthSectors,
      offsetSectors: offsetBytes / SECTOR_BYTES,
      ...cipher,
      digest: cipher.cipher === null ? NO_DIGEST : (digestOfSegment(metadata, number) ?? NO_DIGEST),
    });
    startSectors += lengthSectors;
  }
  return rows;
}

function cipherOf(
  segment: Luks2Segment,
  refuse: (code: 'ENOTSUP', reason: string) => DmError,
): Pick<MappedSegment, 'cipher' | 'sectorBytes' | 'ivOffset'> {
  if (segment.type === 'linear') return { cipher: null, sectorBytes: SECTOR_BYTES, ivOffset: 0n };
  if (!isCryptSegment(segment)) {
    throw refuse('ENOTSUP', `segments of type "${segment.type}" are not supported`);
  }
  if (segment.integrity) {
    throw refuse('ENOTSUP', `integrity "${segment.integrity.type}" is not supported`);
  }
  return {
    cipher: segment.encryption,
    sectorBytes: segment.sector_size,
    ivOffset: BigInt(segment.iv_tweak),
  };
}
