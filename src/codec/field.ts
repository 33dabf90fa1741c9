/** What a field of a declared structure is, and the plain ones: numbers, bytes, text, constants. `struct.ts` puts them together. */

import { DmError, FormatError } from '../base/errors.ts';
import { hexOf } from '../base/hex.ts';

/** Where a field stands, for messages: `slots[3].keyMaterialOffset` of `LUKS1 header` at byte 368. */
export interface Place {
  format: string;
  field: string;
  /** From the start of the outermost structure. */
  offsetBytes: number;
}

/** One list of fields serves both directions, so that they cannot disagree. Sizes are known before any byte is seen. */
export interface Field<T> {
  readonly sizeBytes: number;
  /** `position`: in `source`, which has at least `sizeBytes` from there. Throws FormatError. */
  decode(source: Uint8Array, position: number, place: Place): T;
  /** Throws DmError EINVAL for what does not fit; nothing ever wraps or is cut off. */
  encode(value: T, target: Uint8Array, position: number, place: Place): void;
}

/** Stands in the bytes and not in the value: decoding checks it, encoding writes it. */
export interface ConstantField extends Field<unknown> {
  readonly isConstant: true;
}

/** What is on the disk is not what the format says. */
export function malformed(place: Place, expected: string, got: string): FormatError {
  return new FormatError({ ...place, expected, got });
}

/** What is to be written has no place in the format. */
export function doesNotFit({ format, field }: Place, expected: string, got: string): DmError {
  return new DmError(
    'EINVAL',
    `Cannot write ${format}: ${field}: expected ${expected}, got ${got}`,
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

type NumberGetter = (view: DataView, position: number) => number;
type NumberSetter = (view: DataView, position: number, value: number) => void;

function numberField(sizeBytes: number, get: NumberGetter, set: NumberSetter): Field<number> {
  const largest = 2 ** (8 * sizeBytes) - 1;
  return {
    sizeBytes,
    decode: (source, position) => get(viewOf(source), position),
    encode(value, target, position, place) {
      if (!Number.isInteger(value) || value < 0 || value > largest) {
        throw doesNotFit(place, `a whole number from 0 to ${largest}`, String(value));
      }
      set(viewOf(target), position, value);
    },
  };
}

export const u8 = numberField(
  1,
  (view, at) => view.getUint8(at),
  (view, at, value) => view.setUint8(at, value),
);
export const u16le = numberField(
  2,
  (view, at) => view.getUint16(at, true),
  (view, at, value) => view.setUint16(at, value, true),
);
export const u16be = numberField(
  2,
  (view, at) => view.getUint16(at),
  (view, at, value) => view.setUint16(at, value),
);
export const u32le = numberField(
  4,
  (view, at) => view.getUint32(at, true),
  (view, at, value) => view.setUint32(at, value, true),
);
export const u32be = numberField(
  4,
  (view, at) => view.getUint32(at),
  (view, at, value) => view.setUint32(at, value),
);

/** All 64 bits, for what counts or hashes without meaning a size. */
function bigField(littleEndian: boolean): Field<bigint> {
  return {
    sizeBytes: 8,
    decode: (source, position) => viewOf(source).getBigUint64(position, littleEndian),
    encode(value, target, position, place) {
      if (value < 0n || value >= 2n ** 64n) {
        throw doesNotFit(place, 'a whole number below 2^64', String(value));
      }
      viewOf(target).setBigUint64(position, value, littleEndian);
    },
  };
}

export const bigU64le = bigField(true);
export const bigU64be = bigField(false);

/** Sizes and offsets: a number beyond 2^53 - 1 is more than any disk has, and would not be exact. */
function safeField(big: Field<bigint>): Field<number> {
  return {
    sizeBytes: 8,
    decode(source, position, place) {
      const value = big.decode(source, position, place);
      if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
      throw malformed(place, 'at most 2^53 - 1', String(value));
    },
    encode(value, target, position, place) {
      if (!Number.isSafeInteger(value) || value < 0) {
        throw doesNotFit(place, 'a whole number from 0 to 2^53 - 1', String(value));
      }
      big.encode(BigInt(value), target, position, place);
    },
  };
}

export const u64le = safeField(bigU64le);
export const u64be = safeField(bigU64be);

/** Exactly as many bytes, copied both ways. For reserved bytes too: they survive being read and written again. */
export function bytes(sizeBytes: number): Field<Uint8Array> {
  return {
    sizeBytes,
    // Not `slice`, which is no copy of a Buffer.
    decode: (source, position) => new Uint8Array(source.subarray(position, position + sizeBytes)),
    encode(value, target, position, place) {
      if (value.byteLength !== sizeBytes) {
        throw doesNotFit(place, `${sizeBytes} bytes`, `${value.byteLength}`);
      }
      target.set(value, position);
    },
  };
}

/** Printable ASCII, ended by a NUL; what follows the NUL is not looked at, and written as zeros. */
export function ascii(sizeBytes: number): Field<string> {
  return textField(sizeBytes, 'printable ASCII', (raw) => {
    const isPrintable = raw.every((byte) => byte >= 0x20 && byte < 0x7f);
    return isPrintable ? String.fromCharCode(...raw) : null;
  });
}

/** The same with UTF-8, for names that people give. */
export function utf8(sizeBytes: number): Field<string> {
  return textField(sizeBytes, 'UTF-8', (raw) => {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
    } catch {
      return null; // the caller has the place for the message
    }
  });
}

function textField(
  sizeBytes: number,
  kind: string,
  read: (raw: Uint8Array) => string | null,
): Field<string> {
  return {
    sizeBytes,
    decode(source, position, place) {
      const whole = source.subarray(position, position + sizeBytes);
      const length = whole.indexOf(0);
      if (length < 0) throw malformed(place, 'text ended by a NUL', `${sizeBytes} bytes without`);
      const text = read(whole.subarray(0, length));
      if (text === null) throw malformed(place, kind, shownHex(whole.subarray(0, length)));
      return text;
    },
    encode(value, target, position, place) {
      const raw = new TextEncoder().encode(value);
      const isRight = !raw.includes(0) && read(raw) === value;
      if (!isRight) throw doesNotFit(place, kind, JSON.stringify(value));
      if (raw.byteLength >= sizeBytes) {
        throw doesNotFit(place, `at most ${sizeBytes - 1} bytes`, `${raw.byteLength}`);
      }
      target.fill(0, position, position + sizeBytes);
      target.set(raw, position);
    },
  };
}

/** A magic, a version: `constant(u16be, 1)`, `constant(bytes(4), ...)`. */
export function constant<T extends number | bigint | string | Uint8Array>(
  field: Field<T>,
  expected: T,
): ConstantField {
  const show = (value: unknown) => (value instanceof Uint8Array ? shownHex(value) : String(value));
  return {
    isConstant: true,
    sizeBytes: field.sizeBytes,
    decode(source, position, place) {
      const value = field.decode(source, position, place);
      if (show(value) !== show(expected)) throw malformed(place, show(expected), show(value));
      return value;
    },
    encode(_value, target, position, place) {
      field.encode(expected, target, position, place);
    },
  };
}

const MAX_SHOWN_BYTES = 32;

/** `0x4c554b53`; long ones are cut off, for they stand in messages. */
function shownHex(raw: Uint8Array): string {
  const shown = hexOf(raw.subarray(0, MAX_SHOWN_BYTES));
  return `0x${shown}${raw.byteLength > MAX_SHOWN_BYTES ? '...' : ''}`;
}
