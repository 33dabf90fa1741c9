/** A device of an unlocked volume in a mapper of this process: the key is in its keyring for as long as the table is loaded, and no longer. */

import type { Secret } from '../../crypto/secret.ts';
import type { LuksVolume, MappedSegment, Unlocked } from '../../formats/luks/types.ts';
import type { DeviceInfo, DeviceMapper } from '../device-mapper.ts';
import type { LuksImage } from './image.ts';
import { dataOperand, keyDescription, mappedRows, mappedUuid } from './rows.ts';

export interface MapOptions {
  name: string;
  readOnly?: boolean;
  /** Default: what the header says. */
  allowDiscards?: boolean;
}

/** By digest: a volume in re-encryption has two. */
export type VolumeKeys = ReadonlyMap<number, Secret>;

/** The keys that the segments need, of what unlocking gave. They stay the caller's. */
export function keysOf(segments: readonly MappedSegment[], unlocked: Unlocked): VolumeKeys {
  const encrypted = segments.filter(({ cipher }) => cipher !== null);
  return new Map(encrypted.map(({ digest }) => [digest, unlocked.volumeKey]));
}

/** Throws DmError. */
export async function mapVolume(
  mapper: DeviceMapper,
  { path, volume, data }: LuksImage,
  unlocked: Unlocked,
  options: MapOptions,
): Promise<DeviceInfo> {
  const { name, readOnly = false } = options;
  const segments = volume.segments(data.sizeBytes);
  const keys = keysOf(segments, unlocked);
  const table = mappedRows(volume, segments, {
    data: dataOperand(path),
    keyBytes: (digest) => keys.get(digest)!.lengthBytes,
    allowDiscards: options.allowDiscards ?? volume.flags.includes('allow-discards'),
  });
  return await withKeys(mapper, volume, keys, () =>
    mapper.create({ name, uuid: mappedUuid(volume, name), table, readOnly }),
  );
}

async function withKeys<T>(
  mapper: DeviceMapper,
  volume: LuksVolume,
  keys: VolumeKeys,
  run: () => Promise<T>,
): Promise<T> {
  const descriptions: string[] = [];
  try {
    for (const [digest, key] of keys) {
      const description = keyDescription(volume, digest);
      mapper.addKey(description, key);
      descriptions.push(description);
    }
    return await run();
  } finally {
    for (const description of descriptions) mapper.removeKey(description);
  }
}
