/** What `cryptsetup luksDump` prints, byte for byte (2.6.1). */

import { fromBase64, isBase64 } from './base64.ts';
import { keyslotsAreaBytes, type Luks2Header } from './header.ts';
import type { JsonValue } from './json-text.ts';
import { DIGESTS_MAX, KEYSLOTS_MAX, SEGMENTS_MAX, TOKENS_MAX } from './limits.ts';
import { digestOfKeyslot, digestOfSegment, regularSegments } from './mapping.ts';
import {
  isPassphraseSlot,
  isPbkdf2,
  isPbkdf2Digest,
  isReencryptSlot,
  type Luks2Digest,
  type Luks2Keyslot,
  type Luks2Metadata,
  type Luks2PassphraseKeyslot,
  type Luks2ReencryptKeyslot,
  type Luks2Segment,
  type Luks2Token,
} from './metadata.ts';
import { requirementsOf } from './requirements.ts';
import { tokenKeyslots, tokenType } from './tokens.ts';

const HEX_COLUMNS = 16;
const PRIORITY_WORDS = ['ignored', 'normal', 'preferred'] as const;

export function dumpText(header: Luks2Header): string {
  const { metadata } = header;
  const lines = [
    'LUKS header information',
    'Version:       \t2',
    `Epoch:         \t${header.sequenceId}`,
    `Metadata area: \t${header.headerBytes} [bytes]`,
    `Keyslots area: \t${keyslotsAreaBytes(header)} [bytes]`,
    `UUID:          \t${header.uuid || '(no UUID)'}`,
    `Label:         \t${header.label || '(no label)'}`,
    `Subsystem:     \t${header.subsystem || '(no subsystem)'}`,
    ...configLines(metadata),
    'Data segments:',
    ...byNumber(metadata.segments, SEGMENTS_MAX, segmentLines),
    'Keyslots:',
    ...byNumber(metadata.keyslots, KEYSLOTS_MAX, (number, slot) =>
      keyslotLines(metadata, number, slot),
    ),
    'Tokens:',
    ...byNumber(metadata.tokens, TOKENS_MAX, tokenLines),
    'Digests:',
    ...byNumber(metadata.digests, DIGESTS_MAX, digestLines),
  ];
  return `${lines.join('\n')}\n`;
}

function byNumber<T>(
  section: Map<number, T>,
  limit: number,
  print: (number: number, member: T) => string[],
): string[] {
  const lines: string[] = [];
  for (let number = 0; number < limit; number += 1) {
    const member = section.get(number);
    if (member !== undefined) lines.push(...print(number, member));
  }
  return lines;
}

function configLines(metadata: Luks2Metadata): string[] {
  const words = (list: readonly string[]) => list.map((word) => `${word} `).join('');
  const flags = metadata.config.flags ?? [];
  const requirements = requirementsOf(metadata);
  return [
    `Flags:       \t${flags.length > 0 ? words(flags) : '(no flags)'}`,
    ...(requirements.length > 0 ? [`Requirements:\t${words(requirements)}`] : []),
    '',
  ];
}

function segmentLines(number: number, segment: Luks2Segment): string[] {
  const { type, offset, size, flags } = segment;
  const lines = [`  ${number}: ${type}`, `\toffset: ${offset} [bytes]`];
  lines.push(`\tlength: ${size === 'dynamic' ? '(whole device)' : `${size} [bytes]`}`);
  if (segment['encryption'] !== undefined) lines.push(`\tcipher: ${shown(segment['encryption'])}`);
  if (segment['sector_size'] !== undefined) {
    lines.push(`\tsector: ${shown(segment['sector_size'])} [bytes]`);
  }
  const integrity = segment['integrity'] as { type?: JsonValue } | undefined;
  if (integrity?.type !== undefined) lines.push(`\tintegrity: ${shown(integrity.type)}`);
  if (flags && flags.length > 0) lines.push(`\tflags : ${flags.join(', ')}`);
  return [...lines, ''];
}

function shown(value: JsonValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function keyslotLines(metadata: Luks2Metadata, number: number, slot: Luks2Keyslot): string[] {
  const unbound = opensSegment(metadata, number) ? '' : ' (unbound)';
  const lines = [
    `  ${number}: ${slot.type}${unbound}`,
    `\tKey:        ${slot.key_size * 8} bits`,
    `\tPriority:   ${PRIORITY_WORDS[slot.priority ?? 1] ?? 'invalid'}`,
  ];
  if (isPassphraseSlot(slot)) lines.push(...passphraseLines(slot));
  else if (isReencryptSlot(slot)) lines.push(...reencryptLines(slot));
  for (const [digestNumber, digest] of metadata.digests) {
    if (digest.keyslots.includes(String(number))) lines.push(`\tDigest ID:  ${digestNumber}`);
  }
  return lines;
}

/** Backup segments do not count: the new key of a re-encryption is called unbound until it opens something. */
function opensSegment(metadata: Luks2Metadata, slot: number): boolean {
  const digest = digestOfKeyslot(metadata, slot);
  return (
    digest !== null &&
    regularSegments(metadata).some(([number]) => digestOfSegment(metadata, number) === digest)
  );
}

function passphraseLines({ area, kdf, af }: Luks2PassphraseKeyslot): string[] {
  const costs = isPbkdf2(kdf)
    ? [`\tHash:       ${kdf.hash}`, `\tIterations: ${kdf.iterations}`]
    : [
        `\tTime cost:  ${shown(kdf['time'])}`,
        `\tMemory:     ${shown(kdf['memory'])}`,
        `\tThreads:    ${shown(kdf['cpus'])}`,
      ];
  return [
    `\tCipher:     ${area.encryption}`,
    `\tCipher key: ${area.key_size * 8} bits`,
    `\tPBKDF:      ${kdf.type}`,
    ...costs,
    `\tSalt:       ${hexLines(shown(kdf['salt']))}`,
    `\tAF stripes: ${af.stripes}`,
    `\tAF hash:    ${af.hash}`,
    ...areaLines(area),
  ];
}

function reencryptLines({ mode, direction, area }: Luks2ReencryptKeyslot): string[] {
  const lines = [
    `\tMode:       ${mode}`,
    `\tDirection:  ${direction}`,
    `\tResilience: ${area.type}`,
  ];
  if (area.type === 'checksum') {
    lines.push(`\tHash:       ${area.hash}`, `\tHash data:  ${area.sector_size} [bytes]`);
  }
  // No blank in front of the unit: so it is.
  if (area.type === 'datashift') lines.push(`\tShift size: ${area.shift_size}[bytes]`);
  return [...lines, ...areaLines(area)];
}

function areaLines({ offset, size }: { offset: string; size: string }): string[] {
  return [`\tArea offset:${offset} [bytes]`, `\tArea length:${size} [bytes]`];
}

function tokenLines(number: number, token: Luks2Token): string[] {
  const lines = [`  ${number}: ${tokenType(token)}`];
  const description = token.get('key_description');
  if (tokenType(token) === 'luks2-keyring' && typeof description === 'string') {
    lines.push(`\tKey description: ${description}`);
  }
  return [...lines, ...tokenKeyslots(token).map((slot) => `\tKeyslot:    ${slot}`)];
}

function digestLines(number: number, digest: Luks2Digest): string[] {
  const lines = [`  ${number}: ${digest.type}`];
  if (!isPbkdf2Digest(digest)) return lines;
  return [
    ...lines,
    `\tHash:       ${digest.hash}`,
    `\tIterations: ${digest.iterations}`,
    `\tSalt:       ${hexLines(digest.salt)}`,
    `\tDigest:     ${hexLines(digest.digest)}`,
  ];
}

/** `64 36 5e ...`, sixteen a line, a blank behind each; nothing for what is no base64, as in a key derivation that we do not know. */
function hexLines(base64: string): string {
  if (!isBase64(base64)) return '';
  const bytes = [...fromBase64(base64)].map((byte) => `${byte.toString(16).padStart(2, '0')} `);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_COLUMNS) {
    lines.push(bytes.slice(at, at + HEX_COLUMNS).join(''));
  }
  return lines.join('\n\t            ');
}
