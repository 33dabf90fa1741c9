/** Whether a state file and a volume still belong together, and what is left to do. Reads only. */

import { DmError } from '../../../base/errors.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import type { Luks2Header } from '../../luks2/header.ts';
import { isCryptSegment } from '../../luks2/metadata.ts';
import { readState } from '../../luks2/reencrypt/state.ts';
import { reencryptStatus } from '../../luks2/reencrypt/status.ts';
import { HEADER_BYTES } from '../layout.ts';
import { type FrontState, readFront } from './mark.ts';
import { comingHeader } from './state-file.ts';

/**
 * `run`: the data, then what `place` and `done` stand for. `place`: the header comes to its place. `done`: the state file is forgotten.
 * `decrypt`: the decryption begins; `drop`: nothing was changed, the state file is forgotten and everything begins anew.
 */
export type NextPart = 'run' | 'place' | 'done' | 'decrypt' | 'drop';

/** `front`: where the LUKS1 header is. Throws DmError EINVAL when they do not belong together. */
export async function nextPart(
  file: ByteDisk,
  state: Luks2Header,
  front: ByteDisk,
): Promise<NextPart> {
  const found = await readFront(front);
  const part = comingHeader(file);
  return part === null ? partOfDecryption(state, found, file, front) : await partOf(part);

  async function partOf(coming: ByteDisk): Promise<NextPart> {
    const isUnderWay = reencryptStatus(state.metadata) !== 'none';
    if (found.kind === 'marked' && found.uuid === state.uuid) return isUnderWay ? 'run' : 'place';
    if (!isUnderWay && (await isPlaced(coming, front))) return 'done';
    if (isUnderWay && isUntouched(state)) return 'drop';
    throw stranger(file, front);
  }
}

function partOfDecryption(
  state: Luks2Header,
  found: FrontState,
  file: ByteDisk,
  front: ByteDisk,
): NextPart {
  const isWhole = found.kind === 'luks1' && found.uuid === state.uuid;
  if (reencryptStatus(state.metadata) !== 'none') {
    if (isWhole) throw stranger(file, front);
    return 'run';
  }
  const [segment] = state.metadata.segments.values();
  if (segment === undefined || !isCryptSegment(segment)) return 'done';
  return isWhole ? 'drop' : 'decrypt';
}

async function isPlaced(coming: ByteDisk, front: ByteDisk): Promise<boolean> {
  if (front.sizeBytes < HEADER_BYTES) return false;
  const [wanted, got] = await Promise.all([
    coming.read(0, HEADER_BYTES),
    front.read(0, HEADER_BYTES),
  ]);
  return wanted.every((byte, index) => byte === got[index]);
}

function isUntouched({ metadata }: Luks2Header): boolean {
  return readState(metadata).ranges.every(({ kind }) => kind === 'old');
}

/** An image that was copied back over a half-done one, for example. */
function stranger(file: ByteDisk, front: ByteDisk): DmError {
  return new DmError(
    'EINVAL',
    `Cannot resume: "${file.name}" is the state of a re-encryption, and the header of "${front.name}" says nothing of one; ` +
      'if the image was replaced since, by a backup for example, delete that file',
  );
}
