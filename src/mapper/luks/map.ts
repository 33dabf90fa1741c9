/** A device of an unlocked volume in a mapper of this process: the keys are in its keyring for as long as the table is loaded, and no longer. */

import type { DeviceInfo, DeviceMapper } from '../device-mapper.ts';
import type { LuksImage } from './image.ts';
import { dataOperand, keyDescription, mappedRows, mappedUuid } from './rows.ts';
import { type UnlockedWith, VolumeKeys } from './volume-keys.ts';

export interface MapOptions {
  name: string;
  readOnly?: boolean;
  /** Default: what the header says. */
  allowDiscards?: boolean;
}

/** `unlocked` stays the caller's. Throws DmError. */
export async function mapVolume(
  mapper: DeviceMapper,
  { path, volume, data }: LuksImage,
  unlocked: UnlockedWith,
  options: MapOptions,
): Promise<DeviceInfo> {
  const { name, readOnly = false } = options;
  const segments = volume.segments(data.sizeBytes);
  using keys = await VolumeKeys.of(volume, segments, unlocked);
  const table = mappedRows(volume, segments, {
    data: dataOperand(path),
    keyBytes: (digest) => keys.get(digest).lengthBytes,
    allowDiscards: options.allowDiscards ?? volume.flags.includes('allow-discards'),
  });
  const descriptions = keys.digests.map((digest) => keyDescription(volume, digest));
  try {
    for (const digest of keys.digests) {
      mapper.addKey(keyDescription(volume, digest), keys.get(digest));
    }
    return await mapper.create({ name, uuid: mappedUuid(volume, name), table, readOnly });
  } finally {
    for (const description of descriptions) mapper.removeKey(description);
  }
}
