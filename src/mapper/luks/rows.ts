/** The table that maps an unlocked volume, with its keys by reference: no row ever holds one. */

import { isAbsolute, resolve } from 'node:path';
import type { RowSpec } from '../../core/table.ts';
import type { LuksVolume, MappedSegment } from '../../formats/luks/types.ts';

export interface RowOptions {
  /** As a table names the data device; see `dataOperand`. */
  data: string;
  /** Of a digest's key. */
  keyBytes(digest: number): number;
  allowDiscards?: boolean;
}

/** cryptsetup's name for a key in a keyring. */
export function keyDescription(volume: LuksVolume, digest: number): string {
  return `cryptsetup:${volume.uuid}-d${digest}`;
}

/** cryptsetup's UUID of a mapped device. */
export function mappedUuid({ version, uuid }: LuksVolume, name: string): string {
  return `CRYPT-LUKS${version}-${uuid.replaceAll('-', '')}-${name}`;
}

/** A path for a table: absolute, because the daemon stands elsewhere, and with its blanks escaped. */
export function dataOperand(path: string): string {
  const absolute = isAbsolute(path) ? path : resolve(path);
  return absolute.replaceAll(/[\s\\]/g, '\\$&');
}

export function mappedRows(
  volume: LuksVolume,
  segments: readonly MappedSegment[],
  options: RowOptions,
): RowSpec[] {
  return segments.map((segment) => rowOf(volume, segment, options));
}

function rowOf(volume: LuksVolume, segment: MappedSegment, options: RowOptions): RowSpec {
  const { startSectors, lengthSectors, offsetSectors, cipher } = segment;
  const place = { start: startSectors, length: lengthSectors };
  if (cipher === null) {
    return { ...place, type: 'linear', params: `${options.data} ${offsetSectors}` };
  }
  const { digest, ivOffset, sectorBytes } = segment;
  const reference = `:${options.keyBytes(digest)}:logon:${keyDescription(volume, digest)}`;
  // The cipher that does nothing takes no key.
  const key = cipher.startsWith('cipher_null') ? '-' : reference;
  const features = [
    ...(options.allowDiscards ? ['allow_discards'] : []),
    ...(sectorBytes === 512 ? [] : [`sector_size:${sectorBytes}`]),
  ];
  const optional = features.length === 0 ? [] : [String(features.length), ...features];
  const words = [cipher, key, String(ivOffset), options.data, String(offsetSectors), ...optional];
  return { ...place, type: 'crypt', params: words.join(' ') };
}
