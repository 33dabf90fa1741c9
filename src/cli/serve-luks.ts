/** `devmapper serve --luks`: an encrypted image becomes a device of this process. */

import type { DeviceMapper } from '../mapper/device-mapper.ts';
import { mapVolume } from '../mapper/luks/map.ts';
import { keepOutOfCoreFiles } from './core-files.ts';
import { usageError } from './failure.ts';
import { mapFailure, withImage } from './luks/image.ts';
import type { LuksOptions } from './luks/option-table.ts';
import { recoverFirst } from './luks/recover.ts';
import { luksFailure } from './luks/status.ts';
import { unlockAgain, wipeUnlocked } from './luks/unlock.ts';
import type { ServeOptions } from './serve-command.ts';

export type ServeLuksOptions = Pick<
  ServeOptions,
  'luks' | 'keyFile' | 'keyfileOffset' | 'keyfileSize' | 'header' | 'keySlot' | 'allowDiscards'
> & { readOnly?: boolean };

export interface LuksDevice {
  name: string;
  image: string;
  /** Which of several it is. */
  index: number;
}

/** Throws CommandError with the statuses of `devmapper luks`. */
export async function buildFromLuks(
  mapper: DeviceMapper,
  { name, image: path, index }: LuksDevice,
  options: ServeLuksOptions,
): Promise<void> {
  const { readOnly = false, allowDiscards, keySlot } = options;
  const luksOptions = optionsFor(options, index);
  keepOutOfCoreFiles();
  try {
    const prompt = `Enter passphrase for ${path}`;
    const request = { prompt, options: luksOptions, slot: keySlot };
    using recovered = await recoverFirst(
      path,
      { ...luksOptions, ...(readOnly && { readonly: true }) },
      request,
    );
    await withImage(path, luksOptions, 'read', async (image) => {
      const unlocked = await unlockAgain(image.volume, recovered, request);
      try {
        await mapVolume(mapper, image, unlocked, {
          name,
          readOnly,
          ...(allowDiscards !== undefined && { allowDiscards }),
        }).catch((error: unknown) => {
          throw mapFailure(error, path);
        });
      } finally {
        wipeUnlocked(unlocked);
      }
    });
  } catch (error) {
    throw luksFailure(error);
  }
}

/** Key files belong to images in their order; a single one is for all of them. */
function optionsFor(options: ServeLuksOptions, index: number): LuksOptions {
  const { luks = [], keyFile = [], keyfileOffset, keyfileSize, header } = options;
  if (keyFile.length > 1 && keyFile.length !== luks.length) {
    throw usageError(
      `Cannot tell which key file belongs to which image: got ${keyFile.length} key files and ${luks.length} images`,
    );
  }
  if (header !== undefined && luks.length > 1) {
    throw usageError('Cannot use --header with several --luks: it belongs to one image');
  }
  const file = keyFile.length === 1 ? keyFile[0] : keyFile[index];
  return {
    ...(file !== undefined && { 'key-file': file }),
    ...(keyfileOffset !== undefined && { 'keyfile-offset': keyfileOffset }),
    ...(keyfileSize !== undefined && { 'keyfile-size': keyfileSize }),
    ...(header !== undefined && { header }),
  };
}
