/**
 * Putting right what programs are known to have damaged in a LUKS1 header: what `cryptsetup repair` puts right, and in its words. Places and stripes
 * of key slots that are not in use, the case of the hash, an IV behind ecb. Neither an active slot nor any key material is ever touched.
 */

import { DmError, FormatError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import {
  checkSlots,
  decodeHeader,
  decodeRawHeader,
  encodeRawHeader,
  isActive,
  type RawHeader,
  type RawSlot,
  SALT_BYTES,
  SLOT_DISABLED,
} from './header.ts';
import { HEADER_BYTES, SLOT_ALIGN_SECTORS, STRIPES, slotOffsetSectors } from './layout.ts';
import { writeHeader } from './write-header.ts';

const USUAL_KEY_BYTES = [16, 32, 64];

/**
 * Answers what was put right, a sentence each; none: nothing was wrong, and nothing is written. Throws DmError EINVAL for what needs a person,
 * FormatError for what stays wrong; nothing is written then either.
 */
export async function repairLuks1(disk: ByteDisk): Promise<readonly string[]> {
  const raw = decodeRawHeader(await disk.read(0, HEADER_BYTES));
  const notes: string[] = [];
  const repaired = { ...repairWords(raw, notes), slots: repairSlots(raw, notes) };
  const header = decodeHeader(encodeRawHeader(repaired));
  if (notes.length > 0) await writeHeader(disk, null, header, 'enable');
  return notes;
}

function repairWords(raw: RawHeader, notes: string[]): RawHeader {
  const hash = raw.hash.toLowerCase();
  if (hash !== raw.hash) notes.push(`Cipher hash repaired to lowercase (${hash}).`);
  const cipherMode = raw.cipherMode.startsWith('ecb-') ? 'ecb' : raw.cipherMode;
  if (cipherMode !== raw.cipherMode) {
    notes.push(`Cipher mode repaired (${raw.cipherMode} -> ${cipherMode}).`);
  }
  return { ...raw, hash, cipherMode };
}

function repairSlots(raw: RawHeader, notes: string[]): readonly RawSlot[] {
  if (areSlotsRight(raw)) return raw.slots;
  // From here on places are computed, which is right only for headers that have them where everybody does.
  if (!USUAL_KEY_BYTES.includes(raw.keyBytes)) {
    throw new DmError('EINVAL', 'Non standard key size, manual repair required.');
  }
  if (raw.slots[0]!.materialSectors % SLOT_ALIGN_SECTORS !== 0) {
    throw new DmError('EINVAL', 'Non standard keyslots alignment, manual repair required.');
  }
  return raw.slots.map((slot, index) => repairSlot(raw, slot, index, notes));
}

function areSlotsRight(raw: RawHeader): boolean {
  try {
    checkSlots(raw);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

function repairSlot(raw: RawHeader, slot: RawSlot, index: number, notes: string[]): RawSlot {
  const materialSectors = slotOffsetSectors(index, raw.keyBytes);
  const isRight = slot.materialSectors === materialSectors && slot.stripes === STRIPES;
  if (isRight || isActive(slot)) return slot;
  const change = (what: string, from: number, to: number) =>
    notes.push(`Keyslot ${index}: ${what} repaired (${from} -> ${to}).`);
  if (slot.materialSectors !== materialSectors) {
    change('offset', slot.materialSectors, materialSectors);
  }
  if (slot.stripes !== STRIPES) change('stripes', slot.stripes, STRIPES);
  const salt = new Uint8Array(SALT_BYTES);
  return { state: SLOT_DISABLED, iterations: 0, salt, materialSectors, stripes: STRIPES };
}
