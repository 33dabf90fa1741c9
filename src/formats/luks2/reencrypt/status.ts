/** What a header says of re-encryption at first sight, for those who dump, open or resume. Pure. */

import type { JsonValue } from '../json-text.ts';
import type { Luks2Metadata } from '../metadata.ts';
import { bytesOf, isHot, requirementVersion } from './state.ts';
import type { ReencryptStatus } from './types.ts';

/** Of an encryption that was killed when it was complete, but for overwriting the copy of its beginning. */
export const WIPE_TOKEN = 'devmapper-wipe';

export interface Extent {
  offsetBytes: number;
  lengthBytes: number;
}

interface PendingWipe {
  token: number;
  extent: Extent;
  segment: { offset: string; size: string };
}

/** `none` also for requirements that are unknown here, which others refuse. */
export function reencryptStatus(metadata: Luks2Metadata): ReencryptStatus {
  if (requirementVersion(metadata) === null) return pendingWipe(metadata) ? 'finishing' : 'none';
  for (const segment of metadata.segments.values()) if (isHot(segment)) return 'crashed';
  return 'clean';
}

/** What a crash left to be overwritten; null for a volume whose segment reaches to the end, whatever a token says. */
export function pendingWipe(metadata: Luks2Metadata): PendingWipe | null {
  const [segment, ...more] = metadata.segments.values();
  if (!segment || more.length > 0 || segment.size === 'dynamic') return null;
  for (const [number, token] of metadata.tokens) {
    if (token.get('type') !== WIPE_TOKEN) continue;
    const extent = {
      offsetBytes: bytesOf(textOf(token.get('offset')), 'offset'),
      lengthBytes: bytesOf(textOf(token.get('size')), 'size'),
    };
    return { token: number, extent, segment };
  }
  return null;
}

const textOf = (value: JsonValue | undefined) => (typeof value === 'string' ? value : '');
