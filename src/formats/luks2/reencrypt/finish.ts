/**
 * The end of a re-encryption: what nobody needs any more is overwritten, and the header forgets.
 *
 * The last hot zone and the end are one header, so no crash leaves a volume that is complete and still says it is in re-encryption; cryptsetup would begin such a
 * one again, with the wrong key. Encryption that moved the beginning needs more: the copy at the end of the disk is plain text that recovery may need
 * until the header forgets the hot zone, and that must not survive. So the header first names a volume of the data's size, which nobody can use what lies
 * behind, and holds a token that says what to overwrite; then the copy is overwritten; then the header lets the volume reach to the end.
 */

import { DmError } from '../../../base/errors.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import { wipeWithRandom } from '../../luks/key-material.ts';
import { type Luks2Header, wholeHeaderBytes } from '../header.ts';
import type { JsonValue } from '../json-text.ts';
import { TOKENS_MAX } from '../limits.ts';
import { copyMetadata, type Luks2Metadata } from '../metadata.ts';
import { writeHeader } from '../write-header.ts';
import { setFinished } from './segments.ts';
import { bytesOf, malformed, type ReencryptState } from './state.ts';
import { type Extent, pendingWipe, WIPE_TOKEN } from './status.ts';
import type { ReencryptDisks } from './types.ts';

/** All ranges are new, and durable. Answers the header of a volume in no re-encryption. */
export async function finish(
  disks: ReencryptDisks,
  header: Luks2Header,
  state: ReencryptState,
): Promise<Luks2Header> {
  const metadata = copyMetadata(header.metadata);
  const { moved, mode } = state;
  if (mode === 'decrypt' && moved) {
    const { shiftBytes } = state.protection;
    const tail = { offsetBytes: disks.data.sizeBytes - shiftBytes, lengthBytes: shiftBytes };
    await wipe(disks.data, tail);
  }
  const isStaged = mode === 'encrypt' && moved !== null;
  if (isStaged && disks.header === disks.data) {
    // Between the header and the data plain text may stand still.
    const offsetBytes = wholeHeaderBytes(header);
    await wipe(disks.data, { offsetBytes, lengthBytes: state.new.offsetBytes - offsetBytes });
  }
  const freed = setFinished(metadata, state, isStaged ? state.old.sizeBytes : null);
  if (isStaged) addWipeToken(metadata, moved);
  let next = await writeHeader(disks.header, withRoom({ ...header, metadata }, state));
  for (const area of freed) await wipe(disks.header, area);
  if (isStaged) next = await finishWipe(disks, next);
  return next;
}

/** The rest of what `finish` does, if a crash came between; else nothing. */
export async function finishWipe(disks: ReencryptDisks, header: Luks2Header): Promise<Luks2Header> {
  const pending = pendingWipe(header.metadata);
  if (!pending) return header;
  const metadata = copyMetadata(header.metadata);
  const { segment, token, extent } = pending;
  const endBytes = bytesOf(segment.offset, 'offset') + bytesOf(segment.size, 'size');
  if (extent.offsetBytes < endBytes) {
    throw malformed('tokens', `an extent behind ${endBytes}`, extent.offsetBytes);
  }
  await wipe(disks.data, extent);
  metadata.tokens.delete(token);
  for (const each of metadata.segments.values()) each.size = 'dynamic';
  return writeHeader(disks.header, { ...header, metadata });
}

function addWipeToken(metadata: Luks2Metadata, extent: Extent): void {
  let number = 0;
  while (metadata.tokens.has(number)) number += 1;
  if (number >= TOKENS_MAX) {
    throw new DmError('ENOSPC', 'Cannot finish encryption: no token is free, remove one first');
  }
  const members: [string, JsonValue][] = [
    ['type', WIPE_TOKEN],
    ['keyslots', []],
    ['offset', String(extent.offsetBytes)],
    ['size', String(extent.lengthBytes)],
  ];
  metadata.tokens.set(number, new Map(members));
}

/** A shift made room for more key slots. */
function withRoom(header: Luks2Header, state: ReencryptState): Luks2Header {
  const isShifted = state.mode === 'reencrypt' && state.protection.shiftBytes > 0;
  if (isShifted) {
    const roomBytes = state.new.offsetBytes - 2 * header.headerBytes;
    const keyslotsBytes = Math.min(roomBytes - (roomBytes % 4096), 128 * 1024 * 1024);
    header.metadata.config.keyslots_size = String(keyslotsBytes);
  }
  return header;
}

function wipe(disk: ByteDisk, { offsetBytes, lengthBytes }: Extent): Promise<void> {
  return wipeWithRandom(disk, offsetBytes, lengthBytes);
}
