/** Rules for `keyslots`: what each one says, and that no two areas overlap. */

import {
  AF_STRIPES,
  ARGON2_CPUS_MAX,
  ARGON2_MEMORY_MAX_KIB,
  ARGON2_MEMORY_MIN_KIB,
  KDF_SALT_BYTES,
  KEY_MAX_BYTES,
  KEYSLOTS_MAX,
  splitKeyBytes,
} from '../limits.ts';
import type { JsonNode } from './node.ts';

const SECTOR_BYTES = 512;

/** Where areas may lie. */
export interface AreaBounds {
  startBytes: number;
  endBytes: number;
}

export function keyslotsOf(root: JsonNode): Map<number, JsonNode> {
  const slots = root.get('keyslots').numbered(KEYSLOTS_MAX);
  for (const slot of slots.values()) slot.record();
  return slots;
}

export function checkKeyslots(slots: Map<number, JsonNode>, bounds: AreaBounds): void {
  for (const slot of slots.values()) checkKeyslot(slot);
  checkAreas([...slots.values()], bounds);
}

function checkKeyslot(slot: JsonNode): void {
  const type = slot.get('type').text();
  const area = slot.get('area').record();
  area.get('type').text();
  area.get('offset').bytes();
  area.get('size').bytes();
  if (slot.get('priority').exists) slot.get('priority').integer(0, 2);
  if (type === 'luks2') checkPassphraseSlot(slot, area);
  else if (type === 'reencrypt') checkReencryptSlot(slot, area);
  else slot.get('key_size').integer();
}

function checkPassphraseSlot(slot: JsonNode, area: JsonNode): void {
  const keyBytes = slot.get('key_size').integer(1, KEY_MAX_BYTES);
  area.get('type').oneOf('raw');
  area.get('encryption').text();
  area.get('key_size').integer(1, KEY_MAX_BYTES);
  area.get('offset').bytes(SECTOR_BYTES);
  const sizeBytes = area.get('size').bytes(SECTOR_BYTES);
  const neededBytes = splitKeyBytes(keyBytes);
  if (sizeBytes < neededBytes) {
    throw area.get('size').refuse(`at least ${neededBytes} for a key of ${keyBytes} bytes`);
  }
  const af = slot.get('af').record();
  af.get('type').oneOf('luks1');
  af.get('stripes').integer(AF_STRIPES, AF_STRIPES);
  af.get('hash').text();
  checkKdf(slot.get('kdf').record());
}

function checkKdf(kdf: JsonNode): void {
  const type = kdf.get('type').text();
  // One of the future keeps its slot from being opened, and nothing else.
  if (!['pbkdf2', 'argon2i', 'argon2id'].includes(type)) return;
  kdf.get('salt').base64(KDF_SALT_BYTES, KDF_SALT_BYTES);
  if (type === 'pbkdf2') {
    kdf.get('hash').text();
    kdf.get('iterations').integer(1);
    return;
  }
  kdf.get('time').integer(1);
  const cpus = kdf.get('cpus').integer(1, ARGON2_CPUS_MAX);
  kdf.get('memory').integer(ARGON2_MEMORY_MIN_KIB * cpus, ARGON2_MEMORY_MAX_KIB);
}

function checkReencryptSlot(slot: JsonNode, area: JsonNode): void {
  slot.get('key_size').integer(1, 1);
  slot.get('mode').oneOf('reencrypt', 'encrypt', 'decrypt');
  slot.get('direction').oneOf('forward', 'backward');
  const type = area
    .get('type')
    .oneOf('none', 'checksum', 'journal', 'datashift', 'datashift-checksum', 'datashift-journal');
  if (type.endsWith('checksum')) {
    area.get('hash').text();
    const sector = area.get('sector_size');
    const sectorBytes = sector.integer(SECTOR_BYTES, 2 ** 30);
    if (!isPowerOfTwo(sectorBytes)) throw sector.refuse('a power of 2');
  }
  if (type.startsWith('datashift')) {
    const shift = area.get('shift_size');
    if (shift.bytes(SECTOR_BYTES) === 0) throw shift.refuse('more than 0');
  }
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function checkAreas(slots: JsonNode[], bounds: AreaBounds): void {
  const areas = slots
    .map((slot) => {
      const area = slot.get('area');
      const offsetBytes = area.get('offset').bytes();
      return { area, offsetBytes, endBytes: offsetBytes + area.get('size').bytes() };
    })
    .sort((one, other) => one.offsetBytes - other.offsetBytes);
  let previous: (typeof areas)[number] | null = null;
  for (const current of areas) {
    const { area, offsetBytes, endBytes } = current;
    if (offsetBytes < bounds.startBytes) {
      throw area.get('offset').refuse(`at least ${bounds.startBytes}, behind both headers`);
    }
    if (endBytes === offsetBytes) throw area.get('size').refuse('more than 0');
    if (endBytes > bounds.endBytes) {
      const range = `an end up to ${bounds.endBytes}, where the key slots area ends`;
      throw area.refuse(range, String(endBytes));
    }
    if (previous && previous.endBytes > offsetBytes) {
      throw area.refuse(`an area that does not overlap ${previous.area.path}`, `${offsetBytes}`);
    }
    previous = current;
  }
}
