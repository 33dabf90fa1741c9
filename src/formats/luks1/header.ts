/**
 * The LUKS1 header: 592 bytes at the start of the device, big-endian, with eight key slots, and zeros up to 1024 bytes. What is not right is refused as a whole.
 *
 * Source: LUKS1 On-Disk Format Specification 1.2.3, figures 1 to 3; which headers cryptsetup 2.6.1 takes.
 */

import { ascii, bytes, constant, malformed, type Place, u16be, u32be } from '../../codec/field.ts';
import { array, struct, type ValueOf } from '../../codec/struct.ts';
import { hashDigestBytes } from '../../crypto/hash.ts';
import { HEADER_BYTES, MAX_KEY_BYTES, SLOT_COUNT, STRIPES, slotAreaSectors } from './layout.ts';

export const DIGEST_BYTES = 20;
export const SALT_BYTES = 32;
const FORMAT = 'LUKS1 header';
export const SLOT_ENABLED = 0x00ac71f3;
export const SLOT_DISABLED = 0x0000dead;
const FIELDS_BYTES = 592;
/** Nothing of a slot lies where the header does. */
const MIN_MATERIAL_SECTORS = HEADER_BYTES / 512;

export const LUKS_MAGIC = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe); // "LUKS\xba\xbe"

const slotLayout = struct('LUKS1 key slot', 48, {
  state: u32be,
  iterations: u32be,
  salt: bytes(SALT_BYTES),
  materialSectors: u32be,
  stripes: u32be,
});

const fields = {
  magic: constant(bytes(6), LUKS_MAGIC),
  version: constant(u16be, 1),
  cipherName: ascii(32),
  cipherMode: ascii(32),
  hash: ascii(32),
  payloadSectors: u32be,
  keyBytes: u32be,
  digest: bytes(DIGEST_BYTES),
  digestSalt: bytes(SALT_BYTES),
  digestIterations: u32be,
  uuid: ascii(40),
  slots: array(SLOT_COUNT, slotLayout),
  /** Kept as it is. */
  padding: bytes(HEADER_BYTES - FIELDS_BYTES),
};

const layout = struct(FORMAT, HEADER_BYTES, fields);

/** As it lies in the bytes: for those who repair. */
export type RawHeader = ValueOf<typeof fields>;
export type RawSlot = ValueOf<{
  state: typeof u32be;
  iterations: typeof u32be;
  salt: ReturnType<typeof bytes>;
  materialSectors: typeof u32be;
  stripes: typeof u32be;
}>;

export interface KeySlot {
  /** Anything but enabled and disabled is damage: neither to be opened nor free. */
  readonly state: number;
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** Where its key material lies, also while it is not active. */
  readonly materialSectors: number;
}

export const isActive = ({ state }: Pick<KeySlot, 'state'>): boolean => state === SLOT_ENABLED;
export const isFree = ({ state }: Pick<KeySlot, 'state'>): boolean => state === SLOT_DISABLED;

export interface Luks1Header {
  readonly cipherName: string;
  readonly cipherMode: string;
  readonly hash: string;
  /** 0: the header is detached, and data begin at the start of their device. */
  readonly payloadSectors: number;
  readonly keyBytes: number;
  readonly digest: Uint8Array;
  readonly digestSalt: Uint8Array;
  readonly digestIterations: number;
  readonly uuid: string;
  readonly slots: readonly KeySlot[];
  readonly padding: Uint8Array;
}

/** Throws FormatError; the first 1024 bytes are enough. */
export function decodeHeader(source: Uint8Array): Luks1Header {
  const raw = decodeRawHeader(source);
  checkCipher(raw);
  checkSlots(raw);
  return raw;
}

/** Magic, version and text are right; nothing else is looked at. */
export function decodeRawHeader(source: Uint8Array): RawHeader {
  return layout.decode(source);
}

/** 1024 bytes. */
export function encodeHeader(header: Luks1Header): Uint8Array {
  const slots = header.slots.map((slot) => ({ ...slot, stripes: STRIPES }));
  return encodeRawHeader({ ...header, slots });
}

export function encodeRawHeader(raw: RawHeader): Uint8Array {
  return layout.encode(raw);
}

function placeOf(field: keyof typeof fields): Place {
  return { format: FORMAT, field, offsetBytes: layout.offsets[field] };
}

function slotPlace(index: number, field: keyof typeof slotLayout.offsets): Place {
  return {
    format: FORMAT,
    field: `slots[${index}].${field}`,
    offsetBytes: layout.offsets.slots + index * slotLayout.sizeBytes + slotLayout.offsets[field],
  };
}

function checkCipher(raw: RawHeader): void {
  if (raw.cipherName === '') throw malformed(placeOf('cipherName'), 'a cipher', 'no text');
  if (raw.keyBytes < 1 || raw.keyBytes > MAX_KEY_BYTES) {
    throw malformed(placeOf('keyBytes'), `1 to ${MAX_KEY_BYTES} bytes`, String(raw.keyBytes));
  }
  const digestBytes = hashDigestBytes(raw.hash);
  if (digestBytes === null || digestBytes < DIGEST_BYTES) {
    throw malformed(
      placeOf('hash'),
      `a hash of at least ${DIGEST_BYTES} bytes`,
      `"${raw.hash}" (Requested LUKS hash ${raw.hash} is not supported)`,
    );
  }
}

/** Every key slot by itself, then each against the one behind it. */
export function checkSlots(raw: RawHeader): void {
  raw.slots.forEach((slot, index) => {
    checkSlot(raw, slot, index);
  });
  const areaSectors = slotAreaSectors(raw.keyBytes);
  const order = raw.slots
    .map(({ materialSectors }, index) => ({ materialSectors, index }))
    .sort((a, b) => a.materialSectors - b.materialSectors);
  order.slice(1).forEach(({ materialSectors, index }, position) => {
    const before = order[position]!;
    if (materialSectors >= before.materialSectors + areaSectors) return;
    throw badSlot(
      slotPlace(index, 'materialSectors'),
      index,
      `sector ${before.materialSectors + areaSectors} or later, where keyslot ${before.index} ends`,
      String(materialSectors),
    );
  });
}

function checkSlot(raw: RawHeader, slot: RawSlot, index: number): void {
  const { stripes, materialSectors } = slot;
  if (stripes !== STRIPES) {
    throw badSlot(slotPlace(index, 'stripes'), index, String(STRIPES), String(stripes));
  }
  const place = slotPlace(index, 'materialSectors');
  if (materialSectors < MIN_MATERIAL_SECTORS) {
    const expected = `sector ${MIN_MATERIAL_SECTORS} or later, behind the header`;
    throw badSlot(place, index, expected, String(materialSectors));
  }
  const lastSectors = raw.payloadSectors - slotAreaSectors(raw.keyBytes);
  if (raw.payloadSectors !== 0 && materialSectors > lastSectors) {
    const expected = `at most sector ${lastSectors}, for data begin at sector ${raw.payloadSectors}`;
    throw badSlot(place, index, expected, String(materialSectors));
  }
}

function badSlot(place: Place, index: number, expected: string, got: string) {
  return malformed(place, expected, `${got} (LUKS keyslot ${index} is invalid)`);
}
