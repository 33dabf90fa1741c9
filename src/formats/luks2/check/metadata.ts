/** All rules for the JSON area together. What passes is safe to use: every reference leads somewhere, every range lies in its container. */

import type { JsonValue } from '../json-text.ts';
import { isReencryptSlot, type Luks2Metadata, metadataOf } from '../metadata.ts';
import { isKnownReencrypt, isOnlineReencrypt, requirementsOf } from '../requirements.ts';
import { checkConfig } from './config.ts';
import { checkDigests, checkTokens } from './digests.ts';
import { checkKeyslots, keyslotsOf } from './keyslots.ts';
import { JsonNode } from './node.ts';
import { checkReencryptSegments, checkSegments, segmentsOf } from './segments.ts';

/** `jsonAreaBytes`: what the binary header leaves for it. Throws FormatError that names the member. */
export function checkMetadata(value: JsonValue, jsonAreaBytes: number): Luks2Metadata {
  const root = new JsonNode('', value);
  root.map();
  const bounds = checkConfig(root, jsonAreaBytes);
  const keyslots = keyslotsOf(root);
  const segments = segmentsOf(root);
  checkTokens(root, keyslots);
  checkKeyslots(keyslots, bounds);
  const { ofSegment } = checkDigests(root, keyslots, segments);
  checkSegments(root.get('segments'), segments, ofSegment, bounds);
  const metadata = metadataOf(value);
  checkReencryption(metadata, root);
  return metadata;
}

function checkReencryption(metadata: Luks2Metadata, root: JsonNode): void {
  const slotCount = [...metadata.keyslots.values()].filter(isReencryptSlot).length;
  if (slotCount > 1)
    throw root.get('keyslots').refuse('at most one reencrypt slot', `${slotCount}`);
  const isRequired = requirementsOf(metadata).some(isOnlineReencrypt);
  if (slotCount === 1 && !isRequired) {
    throw root
      .get('config')
      .get('requirements')
      .refuse('online-reencrypt, as there is a slot for it');
  }
  checkReencryptSegments(metadata, root.get('segments'));
  if (slotCount === 0 && requirementsOf(metadata).some(isKnownReencrypt)) {
    throw root.get('keyslots').refuse('a reencrypt slot, as re-encryption is required', 'none');
  }
}
