/**
 * The mark of a LUKS1 volume whose re-encryption is under way: "LUKS\xde\xad" where the magic was, as cryptsetup writes it, so that no program takes the volume for
 * whole. One sector is written, so there is no half of it.
 */

import type { ByteDisk } from '../../../core/byte-disk.ts';
import { encodeHeader, LUKS_MAGIC, type Luks1Header } from '../header.ts';
import { HEADER_BYTES } from '../layout.ts';

export const UNUSABLE_MAGIC = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xde, 0xad); // "LUKS\xde\xad"
const UUID_OFFSET_BYTES = 168;
const UUID_BYTES = 40;

/** What stands where a LUKS1 header begins. */
export interface FrontState {
  kind: 'marked' | 'luks1' | 'other';
  /** '' for others. */
  uuid: string;
}

export async function readFront(disk: ByteDisk): Promise<FrontState> {
  if (disk.sizeBytes < HEADER_BYTES) return { kind: 'other', uuid: '' };
  const start = await disk.read(0, HEADER_BYTES);
  const hasMagic = (magic: Uint8Array) => magic.every((byte, index) => start[index] === byte);
  const isVersion1 = start[6] === 0 && start[7] === 1;
  const isMarked = hasMagic(UNUSABLE_MAGIC);
  if (!isVersion1 || !(isMarked || hasMagic(LUKS_MAGIC))) return { kind: 'other', uuid: '' };
  const text = new TextDecoder('latin1').decode(
    start.subarray(UUID_OFFSET_BYTES, UUID_OFFSET_BYTES + UUID_BYTES),
  );
  return { kind: isMarked ? 'marked' : 'luks1', uuid: text.replace(/\0.*$/s, '') };
}

/** The header in front stays as it is but for its magic. Durable when it resolves. */
export async function markUnusable(disk: ByteDisk): Promise<void> {
  const sector = await disk.read(0, disk.sectorBytes);
  sector.set(UNUSABLE_MAGIC);
  await writeSector(disk, sector);
}

/** Where no header stood yet: what it will say, marked. What is in the first sector is lost. */
export async function markNew(disk: ByteDisk, header: Luks1Header): Promise<void> {
  const sector = new Uint8Array(disk.sectorBytes);
  sector.set(encodeHeader(header).subarray(0, disk.sectorBytes));
  sector.set(UNUSABLE_MAGIC);
  await writeSector(disk, sector);
}

async function writeSector(disk: ByteDisk, sector: Uint8Array): Promise<void> {
  await disk.write(0, sector);
  await disk.flush();
}
