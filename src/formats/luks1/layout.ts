/** Where what lies in a LUKS1 header, and what there can be of it. */

import { SECTOR_BYTES } from '../../base/units.ts';

export const SLOT_COUNT = 8;
/** The anti-forensic splitter's; no program ever wrote another number. */
export const STRIPES = 4000;
/** As cryptsetup reads and writes it. */
export const HEADER_BYTES = 1024;
/** More than any cipher takes. */
export const MAX_KEY_BYTES = 512;

/** Key material begins at multiples of this. */
export const SLOT_ALIGN_SECTORS = 8;
const FIRST_SLOT_SECTORS = 8;

/** Of one slot's key material: all stripes of a key. */
export function slotMaterialBytes(keyBytes: number): number {
  return keyBytes * STRIPES;
}

export function slotAreaSectors(keyBytes: number): number {
  return Math.ceil(slotMaterialBytes(keyBytes) / SECTOR_BYTES);
}

function spacingSectors(keyBytes: number): number {
  return roundUp(slotAreaSectors(keyBytes), SLOT_ALIGN_SECTORS);
}

/** Where a new header has the key material of a slot. */
export function slotOffsetSectors(slot: number, keyBytes: number): number {
  return FIRST_SLOT_SECTORS + slot * spacingSectors(keyBytes);
}

/** Of a new header, with all its slots and the gap behind each. */
export function headerAreaSectors(keyBytes: number): number {
  return slotOffsetSectors(SLOT_COUNT, keyBytes);
}

/** Up to the end of the last key material. */
export function headerEndSectors(
  slots: readonly { materialSectors: number }[],
  keyBytes: number,
): number {
  return Math.max(...slots.map((slot) => slot.materialSectors)) + slotAreaSectors(keyBytes);
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
