/** Rules for `config`: sizes of the areas, flags, requirements. */

import { BINARY_HEADER_BYTES, HEADER_SIZES_BYTES } from '../binary-header.ts';
import { AREA_ALIGNMENT_BYTES, KEYSLOTS_AREA_MAX_BYTES } from '../limits.ts';
import { isOnlineReencrypt } from '../requirements.ts';
import type { AreaBounds } from './keyslots.ts';
import type { JsonNode } from './node.ts';

const WORDS_MAX = 64;

/** Answers where areas of key slots may lie. `jsonAreaBytes`: as the binary header says. */
export function checkConfig(root: JsonNode, jsonAreaBytes: number): AreaBounds {
  const config = root.get('config').record();
  const jsonSize = config.get('json_size');
  const jsonBytes = jsonSize.bytes();
  if (jsonBytes !== jsonAreaBytes) {
    throw jsonSize.refuse(`${jsonAreaBytes}, as the binary header says`);
  }
  const headerBytes = jsonBytes + BINARY_HEADER_BYTES;
  if (!HEADER_SIZES_BYTES.includes(headerBytes)) {
    throw jsonSize.refuse('4096 less than a power of 2 from 16 KiB to 4 MiB');
  }
  const keyslotsSize = config.get('keyslots_size');
  const keyslotsBytes = keyslotsSize.bytes(AREA_ALIGNMENT_BYTES);
  if (keyslotsBytes > KEYSLOTS_AREA_MAX_BYTES) {
    throw keyslotsSize.refuse(`at most ${KEYSLOTS_AREA_MAX_BYTES}`);
  }
  if (config.get('flags').exists) config.get('flags').texts(WORDS_MAX);
  checkRequirements(config.get('requirements'));
  return { startBytes: 2 * headerBytes, endBytes: 2 * headerBytes + keyslotsBytes };
}

function checkRequirements(requirements: JsonNode): void {
  if (!requirements.exists) return;
  const mandatory = requirements.record().get('mandatory');
  if (!mandatory.exists) return;
  if (mandatory.texts(WORDS_MAX).filter(isOnlineReencrypt).length > 1) {
    throw mandatory.refuse('online re-encryption at most once');
  }
}
