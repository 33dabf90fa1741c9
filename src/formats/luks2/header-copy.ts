/** One copy of the header, binary part and JSON area together: bytes to values and back. */

import { DmError, FormatError } from '../../base/errors.ts';
import {
  BINARY_HEADER_BYTES,
  type BinaryHeader,
  CHECKSUM_BYTES,
  type CopyName,
  encodeBinaryHeader,
  setChecksum,
} from './binary-header.ts';
import { checkMetadata } from './check/metadata.ts';
import { checksumOf, isChecksumAlgorithm } from './checksum.ts';
import { parseJson } from './json-text.ts';
import { jsonOf, type Luks2Metadata, printMetadata } from './metadata.ts';

/** Checks the checksum; `copy` is the whole copy, `header` what its beginning says. */
export async function checkChecksum(
  copy: Uint8Array,
  header: BinaryHeader,
  name: CopyName,
): Promise<void> {
  const { checksumAlgorithm, checksum } = header;
  const problem = (field: string, expected: string, got: string) =>
    new FormatError({
      format: `${name} LUKS2 header`,
      field,
      offsetBytes: header.offsetBytes,
      expected,
      got,
    });
  if (!isChecksumAlgorithm(checksumAlgorithm)) {
    throw problem('checksumAlgorithm', 'a hash that is known', JSON.stringify(checksumAlgorithm));
  }
  const blank = copy.slice();
  setChecksum(blank, null);
  const computed = await checksumOf(checksumAlgorithm, blank);
  if (!computed.every((byte, index) => byte === checksum[index])) {
    throw problem('checksum', 'that of the header', 'another: the header is damaged');
  }
}

/** The JSON area: text, blanks maybe, and nothing but NULs behind it. */
export function decodeMetadata(area: Uint8Array): Luks2Metadata {
  const problem = (expected: string, got: string, at: number) =>
    new FormatError({
      format: 'LUKS2 metadata',
      field: 'JSON area',
      offsetBytes: BINARY_HEADER_BYTES + at,
      expected,
      got,
    });
  const endBytes = area.indexOf(0);
  if (endBytes === -1) throw problem('a NUL behind the text', 'none', area.length - 1);
  const stray = area.findIndex((byte, index) => index > endBytes && byte !== 0);
  if (stray !== -1) throw problem('nothing but NULs behind the text', `${area[stray]}`, stray);
  if (area[0] !== 0x7b) throw problem('"{"', `${area[0]}`, 0);
  const text = textOf(area.subarray(0, endBytes));
  if (text === null) throw problem('UTF-8', 'something else', 0);
  const { value, lengthChars } = parseJson(text);
  // Blanks and line feeds behind it are harmless, and cryptsetup takes them.
  if (/[^ \t\r\n]/.test(text.slice(lengthChars))) {
    throw problem('one JSON object', 'more text', lengthChars);
  }
  return checkMetadata(value, area.length);
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null; // the caller knows the place
  }
}

/**
 * The bytes of the JSON area. Passes the same checks as what is read, so that nothing is written that would be refused.
 * Throws DmError ENOSPC when the text does not fit.
 */
export function encodeMetadata(metadata: Luks2Metadata, areaBytes: number): Uint8Array {
  checkMetadata(jsonOf(metadata), areaBytes);
  const text = new TextEncoder().encode(printMetadata(metadata));
  // One byte is for the NUL at the end.
  if (text.length >= areaBytes) {
    throw new DmError(
      'ENOSPC',
      `Cannot write LUKS2 header: No space left in its JSON area: ${text.length} bytes of text, room for ${areaBytes - 1}`,
    );
  }
  const area = new Uint8Array(areaBytes);
  area.set(text);
  return area;
}

/** The whole copy with its checksum. */
export async function encodeCopy(
  header: BinaryHeader,
  area: Uint8Array,
  name: CopyName,
): Promise<Uint8Array> {
  const copy = new Uint8Array(header.headerBytes);
  copy.set(encodeBinaryHeader({ ...header, checksum: new Uint8Array(CHECKSUM_BYTES) }, name));
  copy.set(area, BINARY_HEADER_BYTES);
  setChecksum(copy, await checksumOf(header.checksumAlgorithm, copy));
  return copy;
}
