/** The entry `devmapper/luks`: LUKS1 and LUKS2 images — made, opened, read, written, edited — without a daemon, without root. */

import type { Secret } from '../crypto/secret.ts';
import type { LuksVolume } from '../formats/luks/types.ts';
import { DeviceMapper } from './device-mapper.ts';
import { type FormatImageRequest, formatLuksImage } from './luks/format.ts';
import { openLuksImage } from './luks/image.ts';
import { mapVolume } from './luks/map.ts';
import { needsRecovery, recoverStep } from './luks/recover.ts';
import { Volume } from './volume.ts';

export { DmError, FormatError } from '../base/errors.ts';
export { Secret } from '../crypto/secret.ts';
export { type LuksProbe, probeLuks } from '../formats/luks/index.ts';
export type {
  AddKeyRequest,
  Luks2Volume,
  LuksVolume,
  PbkdfRequest,
  SlotInfo,
  Unlocked,
} from '../formats/luks/types.ts';
export { type LuksImage, type OpenImageOptions, openLuksImage } from './luks/image.ts';
export type { Volume } from './volume.ts';

export interface OpenLuksVolumeOptions {
  /** Path of a detached header. */
  header?: string;
  /** Only this key slot. */
  slot?: number;
  readOnly?: boolean;
  /** Default: what the header says. */
  allowDiscards?: boolean;
}

export interface FormatLuksOptions extends Omit<FormatImageRequest, 'key'> {
  key?: Omit<FormatImageRequest['key'], 'passphrase'>;
}

/**
 * Makes a LUKS volume in a file or block device; what was there is lost. The passphrase stays the caller's. Throws `DmError`.
 *
 * @example
 * ```ts
 * import { mkdtemp, rm, writeFile } from 'node:fs/promises';
 * import { tmpdir } from 'node:os';
 * import { formatLuks, openLuksVolume, Secret } from 'devmapper/luks';
 *
 * const folder = await mkdtemp(`${tmpdir()}/luks-`);
 * const image = `${folder}/disk.img`;
 * await writeFile(image, new Uint8Array(20 * 1024 * 1024));
 * using passphrase = Secret.from(new TextEncoder().encode('correct horse'));
 * // A cost that suits an example and nothing else.
 * const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;
 * await formatLuks(image, passphrase, { label: 'example', key: { pbkdf } });
 * {
 *   await using disk = await openLuksVolume(image, passphrase);
 *   await disk.write({ offsetBytes: 0, data: new Uint8Array(4096).fill(7) });
 *   const data = await disk.read({ offsetBytes: 0, lengthBytes: 4096 });
 *   console.log(data[0]); // 7
 * }
 * await rm(folder, { recursive: true });
 * ```
 */
export async function formatLuks(
  image: string,
  passphrase: Secret,
  options: FormatLuksOptions = {},
): Promise<void> {
  await formatLuksImage(image, { ...options, key: { ...options.key, passphrase } });
}

/**
 * Opens an image for I/O on what is encrypted in it. The passphrase stays the caller's; the volume key is overwritten when the volume is
 * closed. A re-encryption that was killed in the middle of a step is recovered first, unless `readOnly`. Throws `DmError`: `EPERM` for a wrong passphrase, `ENODATA` where there is no LUKS header; `FormatError` for a damaged one.
 */
export async function openLuksVolume(
  image: string,
  passphrase: Secret,
  options: OpenLuksVolumeOptions = {},
): Promise<Volume> {
  const { header, slot, readOnly = false, allowDiscards } = options;
  if (!readOnly) await recoverFirst(image, header, passphrase);
  await using opened = await openLuksImage(image, {
    readOnly: true,
    ...(header !== undefined && { header }),
  });
  const { volumeKey } = await unlockSlot(opened.volume, passphrase, slot);
  const mapper = new DeviceMapper();
  try {
    const unlocked = { slot: null, volumeKey, passphrase };
    await mapVolume(mapper, opened, unlocked, {
      name: NAME,
      readOnly,
      ...(allowDiscards !== undefined && { allowDiscards }),
    });
    return volumeOf(mapper, image);
  } catch (error) {
    await mapper.close();
    throw error;
  } finally {
    volumeKey.wipe();
  }
}

/** Of the only device in its mapper. */
const NAME = 'luks';

/** A re-encryption that was killed in the middle of a step. */
async function recoverFirst(image: string, header: string | undefined, passphrase: Secret) {
  const where = header === undefined ? {} : { header };
  {
    await using opened = await openLuksImage(image, { readOnly: true, ...where });
    if (!(await needsRecovery(opened))) return;
  }
  await using opened = await openLuksImage(image, { lock: 'image', ...where });
  await recoverStep(opened, passphrase);
}

function unlockSlot(volume: LuksVolume, passphrase: Secret, slot: number | undefined) {
  return volume.unlock(passphrase, slot === undefined ? {} : { slot });
}

/** Closing it ends everything that was made for it. */
function volumeOf(mapper: DeviceMapper, image: string): Volume {
  const device = mapper.engine.get(NAME);
  const { release } = mapper.engine.open(device);
  return new Volume({
    name: () => image,
    device,
    release: async () => {
      release();
      await mapper.close();
    },
  });
}
