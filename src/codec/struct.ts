/**
 * Structures on a disk or a wire, declared once for both directions:
 *
 *   const header = struct('snapshot header', 16, { magic: constant(u32le, 0x70416e53), valid: u32le, version: u32le, chunkSectors: u32le });
 *   const value = header.decode(bytes);      // FormatError names `snapshot header`, the field and its byte
 *   const bytes = header.encode(value);
 *
 * Fields lie one behind the other without gaps; a gap is a field of `bytes`. Constants stand in the bytes only.
 */

import { assert } from '../base/assert.ts';
import { type ConstantField, doesNotFit, type Field, malformed, type Place } from './field.ts';

/** A field of whatever type. */
interface AnyField {
  readonly sizeBytes: number;
  decode(source: Uint8Array, position: number, place: Place): unknown;
  encode(value: never, target: Uint8Array, position: number, place: Place): void;
}

type Fields = Readonly<Record<string, AnyField>>;

/** What a list of fields decodes to: everything but its constants. */
export type ValueOf<F extends Fields> = {
  [Name in keyof F as F[Name] extends ConstantField ? never : Name]: F[Name] extends {
    decode(...input: never[]): infer T;
  }
    ? T
    : never;
};

/** Also a field, so that structures nest. */
export interface Struct<F extends Fields> extends Field<ValueOf<F>> {
  /** From the start of the structure. */
  readonly offsets: Readonly<Record<keyof F, number>>;
  /** `source` may be longer. */
  decode(source: Uint8Array, position?: number, place?: Place): ValueOf<F>;
  /** New bytes. */
  encode(value: ValueOf<F>): Uint8Array;
  encode(value: ValueOf<F>, target: Uint8Array, position: number, place?: Place): Uint8Array;
}

/** `sizeBytes` as the format's document gives it: a list that adds up to something else fails at load. */
export function struct<const F extends Fields>(
  format: string,
  sizeBytes: number,
  fields: F,
): Struct<F> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  const offsets: Record<string, number> = {};
  let end = 0;
  for (const [name, field] of entries) {
    offsets[name] = end;
    end += field.sizeBytes;
  }
  assert(end === sizeBytes, `the fields of ${format} have ${sizeBytes} bytes together, not ${end}`);

  const placeOf = (name: string, outer?: Place): Place => ({
    format: outer?.format ?? format,
    field: outer ? `${outer.field}.${name}` : name,
    offsetBytes: (outer?.offsetBytes ?? 0) + offsets[name]!,
  });

  function decode(source: Uint8Array, position = 0, outer?: Place): ValueOf<F> {
    const restBytes = source.byteLength - position;
    if (restBytes < sizeBytes) {
      const place = outer ?? { format, field: 'length', offsetBytes: 0 };
      throw malformed(place, `${sizeBytes} bytes`, `${restBytes}`);
    }
    const value: Record<string, unknown> = {};
    for (const [name, field] of entries) {
      const decoded = field.decode(source, position + offsets[name]!, placeOf(name, outer));
      if (!('isConstant' in field)) value[name] = decoded;
    }
    return value as ValueOf<F>;
  }

  function encode(
    value: ValueOf<F>,
    target: Uint8Array = new Uint8Array(sizeBytes),
    position = 0,
    outer?: Place,
  ): Uint8Array {
    assert(position + sizeBytes <= target.byteLength, `there is room for ${format}`);
    const values = value as Record<string, unknown>;
    for (const [name, field] of entries) {
      field.encode(values[name], target, position + offsets[name]!, placeOf(name, outer));
    }
    return target;
  }

  return { sizeBytes, offsets: offsets as Record<keyof F, number>, decode, encode };
}

/** `count` of one kind, one behind the other. */
export function array<T>(count: number, field: Field<T>): Field<readonly T[]> {
  const placeOf = (place: Place, index: number): Place => ({
    ...place,
    field: `${place.field}[${index}]`,
    offsetBytes: place.offsetBytes + index * field.sizeBytes,
  });
  return {
    sizeBytes: count * field.sizeBytes,
    decode: (source, position, place) =>
      Array.from({ length: count }, (_, index) =>
        field.decode(source, position + index * field.sizeBytes, placeOf(place, index)),
      ),
    encode(values, target, position, place) {
      if (values.length !== count) throw doesNotFit(place, `${count} of them`, `${values.length}`);
      values.forEach((value, index) => {
        field.encode(value, target, position + index * field.sizeBytes, placeOf(place, index));
      });
    },
  };
}
