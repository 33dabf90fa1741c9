/**
 * What the digest of the re-encryption key slot vouches for: the keys and every field that decides where data are read and written. Whoever can
 * write the header but has no key cannot turn a re-encryption into a decryption. Pure.
 *
 * Source: lib/luks2/luks2_reencrypt_digest.c of cryptsetup 2.6.1 (the layout; the specification of 2022 describes it in words), checked against headers it wrote.
 * Layout: "v" and a digit (the requirement's version), the old key, the new key where it is another one, then fields without separators: texts as
 * they are, numbers of 64 bits (in JSON: texts) and 32 bits (in JSON: numbers) big-endian.
 */

import { Secret } from '../../../crypto/secret.ts';
import { isCryptSegment, type Luks2Metadata, type Luks2Segment } from '../metadata.ts';
import { flagged, malformed, type ReencryptState, reencryptSlot } from './state.ts';
import type { ReencryptKeys } from './types.ts';

const MAX_TEXT_BYTES = 64;

/** The caller wipes it. */
export function verificationData(
  metadata: Luks2Metadata,
  state: Pick<ReencryptState, 'old' | 'new' | 'version'>,
  keys: ReencryptKeys,
): Secret {
  const keyBytes: Uint8Array[] = [];
  if (state.old.digest !== null) keyBytes.push(present(keys.old, 'old'));
  if (state.new.digest !== null && state.new.digest !== state.old.digest) {
    keyBytes.push(present(keys.new, 'new'));
  }
  const parts = [
    Uint8Array.of(0x76, 0x30 + state.version),
    ...keyBytes,
    ...slotFields(metadata),
    ...['backup-previous', 'backup-final', 'backup-moved-segment'].flatMap((flag) => {
      const segment = flagged(metadata, flag)?.[1];
      return segment ? segmentFields(segment) : [];
    }),
  ];
  const secret = Secret.allocate(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    secret.bytes.set(part, offset);
    offset += part.byteLength;
  }
  return secret;
}

function present(key: ReencryptKeys['old'], which: string): Uint8Array {
  if (key === null) throw malformed('digests', `the ${which} volume key`, 'none');
  return key.bytes;
}

function slotFields(metadata: Luks2Metadata): Uint8Array[] {
  const [, { mode, direction, area }] = reencryptSlot(metadata);
  const fields = [text(mode), text(direction), text(area.type), u64(area.offset), u64(area.size)];
  if (area.type.endsWith('checksum'))
    fields.push(text(area.hash ?? ''), u32(area.sector_size ?? 0));
  if (area.type.startsWith('datashift')) fields.push(u64(area.shift_size ?? ''));
  return fields;
}

function segmentFields(segment: Luks2Segment): Uint8Array[] {
  const size = segment.size === 'dynamic' ? text(segment.size) : u64(segment.size);
  const fields = [text(segment.type), u64(segment.offset), size];
  if (isCryptSegment(segment)) {
    fields.push(u64(segment.iv_tweak), text(segment.encryption), u32(segment.sector_size));
  }
  return fields;
}

function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  if (bytes.byteLength === 0 || bytes.byteLength > MAX_TEXT_BYTES) {
    throw malformed('reencrypt', `a text of 1 to ${MAX_TEXT_BYTES} bytes`, value);
  }
  return bytes;
}

function u64(value: string): Uint8Array {
  if (!/^\d{1,20}$/.test(value)) throw malformed('reencrypt', 'a number of 64 bits', value);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
