/** A state as a raw image, for programs that want a file of their own. */

import { open } from 'node:fs/promises';
import { DmError, errnoName, errnoOf } from '../base/errors.ts';
import { sectorsToBytes } from '../base/units.ts';
import { readPlaces } from './places.ts';
import type { StateImage } from './state-image.ts';

const PIECE_SECTORS = 2048;

/** Zeroes become holes. Throws DmError when it cannot be written. */
export async function saveRawImage(image: StateImage, path: string): Promise<void> {
  const { sizeSectors } = image;
  const piece = Buffer.alloc(sectorsToBytes(PIECE_SECTORS));
  const zeroes = Buffer.alloc(piece.byteLength);
  try {
    await using file = await open(path, 'w', 0o600);
    await file.truncate(sectorsToBytes(sizeSectors));
    for (let sector = 0; sector < sizeSectors; sector += PIECE_SECTORS) {
      const sectorCount = Math.min(PIECE_SECTORS, sizeSectors - sector);
      const lengthBytes = sectorsToBytes(sectorCount);
      readPlaces(image.source, image.find, { sector, sectorCount }, piece, 0);
      if (piece.compare(zeroes, 0, lengthBytes, 0, lengthBytes) === 0) continue;
      await file.write(piece, 0, lengthBytes, sectorsToBytes(sector));
    }
  } catch (error) {
    if (error instanceof DmError) throw error;
    const code = errnoName(errnoOf(error));
    throw new DmError('EIO', `Cannot write ${path}: ${code}`, { cause: error });
  }
}
