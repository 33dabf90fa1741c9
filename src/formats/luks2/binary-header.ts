/**
 * The binary header: the first 4096 bytes of each of the two copies, in front of the JSON area. Big-endian; text ends with a NUL.
 *
 * Source: LUKS2 On-Disk Format Specification 1.1, section 2.
 */

import {
  bigU64be,
  bytes,
  constant,
  type Field,
  malformed,
  u16be,
  u64be,
  utf8,
} from '../../codec/field.ts';
import { struct, type ValueOf } from '../../codec/struct.ts';

export const BINARY_HEADER_BYTES = 4096;

/** Sizes a copy may have, and so the offsets where the second copy may lie. */
export const HEADER_SIZES_BYTES: readonly number[] = [
  0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000,
];

export const SALT_BYTES = 64;
export const CHECKSUM_BYTES = 64;
const PADDING_BYTES = { short: 184, long: 3584 } as const;

export type CopyName = 'primary' | 'secondary';

const MAGIC_BYTES: Readonly<Record<CopyName, Uint8Array>> = {
  primary: Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe), // "LUKS\xba\xbe"
  secondary: Uint8Array.of(0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe), // "SKUL\xba\xbe"
};

/**
 * People's names, whatever their bytes: those of a text that is not UTF-8 stand as U+DC80 to U+DCFF, and are written back as they were.
 */
function nameField(sizeBytes: number): Field<string> {
  const plain = utf8(sizeBytes);
  return {
    sizeBytes,
    decode(source, position, place) {
      const whole = source.subarray(position, position + sizeBytes - 1);
      const end = whole.indexOf(0);
      const raw = end === -1 ? whole : whole.subarray(0, end);
      if (isUtf8(raw)) return plain.decode(source, position, place);
      return String.fromCharCode(...[...raw].map((byte) => (byte < 0x80 ? byte : 0xdc00 + byte)));
    },
    encode(value, target, position, place) {
      if (!/[\udc80-\udcff]/.test(value)) return plain.encode(value, target, position, place);
      target.set(
        [...value].slice(0, sizeBytes - 1).map((char) => char.charCodeAt(0) & 0xff),
        position,
      );
    },
  };
}

function isUtf8(raw: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(raw);
    return true;
  } catch {
    return false;
  }
}

const fieldsOf = (copy: CopyName) => ({
  magic: constant(bytes(6), MAGIC_BYTES[copy]),
  version: constant(u16be, 2),
  /** Of one copy: binary header and JSON area. */
  headerBytes: u64be,
  /** One more with every write. */
  sequenceId: bigU64be,
  label: nameField(48),
  checksumAlgorithm: utf8(32),
  /** Another one in each copy and after each write. */
  salt: bytes(SALT_BYTES),
  uuid: utf8(40),
  subsystem: nameField(48),
  /** Where this copy lies. */
  offsetBytes: u64be,
  padding: bytes(PADDING_BYTES.short),
  /** Of the whole copy with zeros here. */
  checksum: bytes(CHECKSUM_BYTES),
  padding2: bytes(PADDING_BYTES.long),
});

const layouts = {
  primary: struct('primary LUKS2 header', BINARY_HEADER_BYTES, fieldsOf('primary')),
  secondary: struct('secondary LUKS2 header', BINARY_HEADER_BYTES, fieldsOf('secondary')),
} as const;

export type BinaryHeader = Omit<ValueOf<ReturnType<typeof fieldsOf>>, 'padding' | 'padding2'>;

/** Whether these bytes begin as that copy does, of whatever version. */
export function hasMagic(source: Uint8Array, copy: CopyName): boolean {
  return MAGIC_BYTES[copy].every((byte, index) => source[index] === byte);
}

/** Reads and checks everything but the checksum, which needs the JSON area too. `offsetBytes`: where it was read. */
export function decodeBinaryHeader(
  source: Uint8Array,
  copy: CopyName,
  offsetBytes: number,
): BinaryHeader {
  const layout = layouts[copy];
  const { padding: _padding, padding2: _padding2, ...header } = layout.decode(source);
  const refuse = (field: 'headerBytes' | 'offsetBytes', expected: string) =>
    malformed(
      { format: `${copy} LUKS2 header`, field, offsetBytes: layout.offsets[field] },
      expected,
      String(header[field]),
    );
  if (!HEADER_SIZES_BYTES.includes(header.headerBytes)) {
    throw refuse('headerBytes', 'a power of 2 from 16 KiB to 4 MiB');
  }
  if (header.offsetBytes !== offsetBytes) {
    throw refuse('offsetBytes', `${offsetBytes}, where the header was read`);
  }
  if (copy === 'secondary' && header.headerBytes !== offsetBytes) {
    throw refuse('headerBytes', `${offsetBytes}, the offset of this copy`);
  }
  return header;
}

/** The 4096 bytes. Throws DmError EINVAL for a label and the like that do not fit. */
export function encodeBinaryHeader(header: BinaryHeader, copy: CopyName): Uint8Array {
  return layouts[copy].encode({
    ...header,
    padding: new Uint8Array(PADDING_BYTES.short),
    padding2: new Uint8Array(PADDING_BYTES.long),
  });
}

/** Overwrites the field with zeros, as it is while the checksum is computed; or with the checksum itself. */
export function setChecksum(encoded: Uint8Array, checksum: Uint8Array | null): void {
  const at = layouts.primary.offsets.checksum;
  encoded.fill(0, at, at + CHECKSUM_BYTES);
  if (checksum) encoded.set(checksum, at);
}
