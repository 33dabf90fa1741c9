/** Rules for `segments`: numbered without gaps, backup ones last, no two of the others over the same place, behind the key slots. */

import { SEGMENTS_MAX } from '../limits.ts';
import { isBackupSegment, type Luks2Metadata, type Luks2Segment } from '../metadata.ts';
import { isInReencryption } from '../requirements.ts';
import { type AreaBounds, isPowerOfTwo } from './keyslots.ts';
import type { JsonNode } from './node.ts';

const SECTOR_BYTES = 512;
const FLAGS_MAX = 16;

export function segmentsOf(root: JsonNode): Map<number, JsonNode> {
  const segments = root.get('segments').numbered(SEGMENTS_MAX);
  for (const segment of segments.values()) segment.record();
  return segments;
}

export function checkSegments(
  section: JsonNode,
  segments: Map<number, JsonNode>,
  digestsOf: Map<number, number[]>,
  bounds: AreaBounds,
): void {
  if (segments.size === 0) throw section.refuse('at least one segment', 'none');
  for (const [number, segment] of segments) {
    checkSegment(segment);
    if (segment.value !== undefined && segment.get('type').value === 'crypt') {
      checkCryptSegment(segment);
      if (!digestsOf.has(number)) throw segment.refuse('a digest that names it', 'none');
    }
  }
  const regular = regularSegments(section, segments);
  checkPlaces(regular, bounds);
}

function checkSegment(segment: JsonNode): void {
  segment.get('type').text();
  segment.get('offset').bytes(SECTOR_BYTES);
  const size = segment.get('size');
  if (size.value !== 'dynamic' && size.bytes(SECTOR_BYTES) === 0) {
    throw size.refuse('more than 0, or "dynamic"');
  }
  if (segment.get('flags').exists) segment.get('flags').texts(FLAGS_MAX);
}

function checkCryptSegment(segment: JsonNode): void {
  segment.get('iv_tweak').u64();
  segment.get('encryption').text();
  const sector = segment.get('sector_size');
  const sectorBytes = sector.integer(SECTOR_BYTES, 4096);
  if (!isPowerOfTwo(sectorBytes)) throw sector.refuse('512, 1024, 2048 or 4096');
  const size = segment.get('size');
  if (size.value !== 'dynamic') size.bytes(sectorBytes);
  const integrity = segment.get('integrity');
  if (!integrity.exists) return;
  for (const name of ['type', 'journal_encryption', 'journal_integrity']) {
    integrity.record().get(name).text();
  }
}

function isBackup(segment: JsonNode): boolean {
  const flags = segment.get('flags');
  return flags.exists && flags.texts(FLAGS_MAX).some((flag) => flag.startsWith('backup-'));
}

/** Those that map something, by number: 0, 1, 2 ... and the backup ones behind them. */
function regularSegments(section: JsonNode, segments: Map<number, JsonNode>): JsonNode[] {
  const regular: JsonNode[] = [];
  let backupCount = 0;
  for (let number = 0; number < segments.size; number += 1) {
    const segment = segments.get(number);
    if (!segment) throw section.refuse(`numbers without a gap`, `none of number ${number}`);
    if (isBackup(segment)) backupCount += 1;
    else if (backupCount > 0) throw segment.refuse('backup segments behind all others');
    else regular.push(segment);
  }
  if (regular.length === 0) throw section.refuse('a segment that is no backup', 'none');
  return regular;
}

function checkPlaces(regular: JsonNode[], bounds: AreaBounds): void {
  const places = regular.map((segment, index) => {
    const startBytes = segment.get('offset').bytes();
    const size = segment.get('size');
    const isDynamic = size.value === 'dynamic';
    if (isDynamic && index < regular.length - 1) {
      throw size.refuse('a number: only the last segment may be dynamic');
    }
    return { segment, startBytes, endBytes: isDynamic ? Infinity : startBytes + size.bytes() };
  });
  places.sort((one, other) => one.startBytes - other.startBytes);
  places.forEach(({ segment, startBytes }, index) => {
    const previous = places[index - 1];
    if (previous && previous.endBytes > startBytes) {
      throw segment.refuse(
        `a place that does not overlap ${previous.segment.path}`,
        `${startBytes}`,
      );
    }
  });
  // An offset of 0 is a detached header's: then nothing is behind it.
  const first = places[0]!;
  if (first.startBytes !== 0 && first.startBytes < bounds.endBytes) {
    throw first.segment
      .get('offset')
      .refuse(`at least ${bounds.endBytes}, where the key slots area ends`);
  }
}

/** What a re-encryption adds: both backups there, and each segment like one of them. */
export function checkReencryptSegments(metadata: Luks2Metadata, section: JsonNode): void {
  if (!isInReencryption(metadata)) return;
  const find = (flag: string) =>
    [...metadata.segments.values()].find((segment) => segment.flags?.includes(flag));
  const final = find('backup-final');
  const previous = find('backup-previous');
  if (!final || !previous) {
    throw section.refuse('segments flagged backup-previous and backup-final', 'not both');
  }
  for (const [number, segment] of metadata.segments) {
    if (isBackupSegment(segment) || isSameKind(segment, final)) continue;
    const inReencryption = segment.flags?.includes('in-reencryption') ?? false;
    if (inReencryption || !isSameKind(segment, previous)) {
      throw section
        .get(String(number))
        .refuse('the kind of segment that backup-final or backup-previous is', segment.type);
    }
  }
}

/** Same type, cipher and sector size. */
function isSameKind(one: Luks2Segment, other: Luks2Segment): boolean {
  return (
    one.type === other.type &&
    one['encryption'] === other['encryption'] &&
    one['sector_size'] === other['sector_size']
  );
}
