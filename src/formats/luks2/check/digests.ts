/** Rules for `digests` and `tokens`: both refer to key slots, digests to segments too. */

import {
  DIGEST_MAX_BYTES,
  DIGEST_MIN_BYTES,
  DIGESTS_MAX,
  KDF_SALT_BYTES,
  KEYSLOTS_MAX,
  SEGMENTS_MAX,
  TOKENS_MAX,
} from '../limits.ts';
import type { JsonNode } from './node.ts';

/** Which digests name a slot or a segment. */
export interface DigestReferences {
  ofKeyslot: Map<number, number[]>;
  ofSegment: Map<number, number[]>;
}

export function checkDigests(
  root: JsonNode,
  keyslots: Map<number, JsonNode>,
  segments: Map<number, JsonNode>,
): DigestReferences {
  const references: DigestReferences = { ofKeyslot: new Map(), ofSegment: new Map() };
  for (const [number, digest] of root.get('digests').numbered(DIGESTS_MAX)) {
    digest.record();
    const type = digest.get('type').text();
    if (type === 'pbkdf2') checkPbkdf2Digest(digest);
    for (const slot of digest.get('keyslots').references(keyslots, 'key slot', KEYSLOTS_MAX)) {
      note(references.ofKeyslot, slot, number);
    }
    for (const segment of digest.get('segments').references(segments, 'segment', SEGMENTS_MAX)) {
      note(references.ofSegment, segment, number);
    }
  }
  for (const [number, slot] of keyslots) {
    const count = references.ofKeyslot.get(number)?.length ?? 0;
    if (slot.get('type').value === 'luks2' && count !== 1) {
      throw slot.refuse('exactly one digest that names it', `${count}`);
    }
  }
  return references;
}

function note(map: Map<number, number[]>, key: number, digest: number): void {
  map.set(key, [...(map.get(key) ?? []), digest]);
}

function checkPbkdf2Digest(digest: JsonNode): void {
  digest.get('hash').text();
  digest.get('iterations').integer(1);
  digest.get('salt').base64(KDF_SALT_BYTES, KDF_SALT_BYTES);
  digest.get('digest').base64(DIGEST_MIN_BYTES, DIGEST_MAX_BYTES);
}

export function checkTokens(root: JsonNode, keyslots: Map<number, JsonNode>): void {
  for (const token of root.get('tokens').numbered(TOKENS_MAX).values()) checkToken(token, keyslots);
}

export function checkToken(token: JsonNode, keyslots: Map<number, unknown>): void {
  token.get('type').text();
  token.get('keyslots').references(keyslots, 'key slot', KEYSLOTS_MAX);
}
