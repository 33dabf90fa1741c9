import { describe, expect, test } from 'vitest';
import { FormatError } from '../../base/errors.ts';
import {
  decodeHeader,
  encodeHeader,
  type Luks1Header,
  SLOT_DISABLED,
  SLOT_ENABLED,
} from './header.ts';
import { slotOffsetSectors } from './layout.ts';

const good: Luks1Header = {
  ...{ cipherName: 'aes', cipherMode: 'xts-plain64', hash: 'sha256' },
  ...{ payloadSectors: 4096, keyBytes: 64, digestIterations: 1000 },
  digest: new Uint8Array(20).fill(1),
  digestSalt: new Uint8Array(32).fill(2),
  uuid: '12345678-1234-1234-1234-123456789abc',
  slots: Array.from({ length: 8 }, (_, slot) => ({
    state: slot === 0 ? SLOT_ENABLED : SLOT_DISABLED,
    iterations: slot === 0 ? 1000 : 0,
    salt: new Uint8Array(32).fill(slot),
    materialSectors: slotOffsetSectors(slot, 64),
  })),
  padding: new Uint8Array(432).fill(9),
};

/** Byte offsets as figure 1 of the format's document gives them. */
const At = { version: 6, cipherName: 8, hash: 72, payload: 104, keyBytes: 108, slots: 208 };
const slotAt = (slot: number, field: number) => At.slots + slot * 48 + field;
const SlotField = { state: 0, iterations: 4, material: 40, stripes: 44 };

function encoded(changes: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = encodeHeader(good);
  changes(new DataView(bytes.buffer));
  return bytes;
}

describe('LUKS1 header', () => {
  test('is what was encoded, with what nobody knows', () => {
    expect(decodeHeader(encoded())).toMatchObject(good);
    expect(encodeHeader(decodeHeader(encoded()))).toEqual(encoded());
  });

  test('has its fields where the document says', () => {
    const bytes = encoded();
    const view = new DataView(bytes.buffer);
    expect(view.getUint16(At.version)).toBe(1);
    expect(view.getUint32(At.payload)).toBe(4096);
    expect(view.getUint32(At.keyBytes)).toBe(64);
    expect(view.getUint32(slotAt(1, SlotField.material))).toBe(512);
    expect(view.getUint32(slotAt(7, SlotField.stripes))).toBe(4000);
  });

  const bad: [string, (view: DataView) => void, string][] = [
    ['another magic', (view) => view.setUint8(0, 0), 'magic at byte 0'],
    ['LUKS2', (view) => view.setUint16(At.version, 2), 'version at byte 6: expected 1, got 2'],
    ['no cipher', (view) => view.setUint8(At.cipherName, 0), 'cipherName at byte 8'],
    ['an unknown hash', (view) => view.setUint8(At.hash, 0x7a), 'Requested LUKS hash zha256'],
    ['no key', (view) => view.setUint32(At.keyBytes, 0), 'keyBytes at byte 108: expected 1 to 512'],
    ['a huge key', (view) => view.setUint32(At.keyBytes, 2 ** 32 - 1), 'keyBytes at byte 108'],
    [
      'a key beyond its slot',
      (view) => view.setUint32(At.keyBytes, 65),
      'slots[1].materialSectors',
    ],
    [
      'other stripes',
      (view) => view.setUint32(slotAt(3, SlotField.stripes), 4001),
      'slots[3].stripes at byte 396: expected 4000, got 4001 (LUKS keyslot 3 is invalid)',
    ],
    [
      'key material in the header',
      (view) => view.setUint32(slotAt(0, SlotField.material), 1),
      'slots[0].materialSectors at byte 248: expected sector 2 or later',
    ],
    [
      'key material among the data',
      (view) => view.setUint32(slotAt(7, SlotField.material), 3597),
      'slots[7].materialSectors at byte 584: expected at most sector 3596',
    ],
    [
      'key material of two slots at one place',
      (view) => view.setUint32(slotAt(5, SlotField.material), 520),
      'slots[5].materialSectors at byte 488: expected sector 1012 or later, where keyslot 1 ends',
    ],
    [
      'key material behind everything',
      (view) => view.setUint32(slotAt(2, SlotField.material), 2 ** 32 - 1),
      'slots[2].materialSectors',
    ],
    ['data in front of the slots', (view) => view.setUint32(At.payload, 9), 'slots[0]'],
  ];
  test.each(bad)('is refused with %s', (_name, change, message) => {
    expect(() => decodeHeader(encoded(change))).toThrow(FormatError);
    expect(() => decodeHeader(encoded(change))).toThrow(message);
  });

  test('may be of a volume whose data are elsewhere', () => {
    expect(decodeHeader(encoded((view) => view.setUint32(At.payload, 0))).payloadSectors).toBe(0);
  });

  test('may have a slot of a state that nobody knows, as for cryptsetup', () => {
    const bytes = encoded((view) => view.setUint32(slotAt(4, SlotField.state), 7));
    expect(encodeHeader(decodeHeader(bytes))).toEqual(bytes);
  });

  test('is refused when it is cut off', () => {
    expect(() => decodeHeader(encoded().subarray(0, 591))).toThrow('expected 1024 bytes, got 591');
  });
});
