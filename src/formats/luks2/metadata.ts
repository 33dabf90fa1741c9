/**
 * What the JSON area of a LUKS2 header says, with JSON's own names; 64-bit numbers are decimal strings, as stored. Members we do not know
 * stay where they are and are written back. Numbered sections are Maps, because plain objects would sort them.
 *
 * Source: LUKS2 On-Disk Format Specification 1.1, section 3.
 */

import {
  isObject,
  type JsonMap,
  type JsonRecord,
  type JsonValue,
  membersOf,
  parseJson,
  printJson,
  printJsonPretty,
} from './json-text.ts';

export interface Luks2Metadata {
  keyslots: Map<number, Luks2Keyslot>;
  tokens: Map<number, Luks2Token>;
  segments: Map<number, Luks2Segment>;
  digests: Map<number, Luks2Digest>;
  config: Luks2Config;
  /** Top-level members of other names, and the order of all of them. */
  others: JsonMap;
  order: readonly string[];
}

export type Luks2Keyslot = Luks2PassphraseKeyslot | Luks2ReencryptKeyslot | Luks2UnknownKeyslot;

export interface Luks2PassphraseKeyslot extends JsonRecord {
  type: 'luks2';
  key_size: number;
  af: Luks2Af;
  area: Luks2RawArea;
  kdf: Luks2Kdf;
  /** 0: ignore, 1: normal (also when absent), 2: prefer */
  priority?: number;
}

export interface Luks2Af extends JsonRecord {
  type: 'luks1';
  stripes: number;
  hash: string;
}

export interface Luks2RawArea extends JsonRecord {
  type: 'raw';
  offset: string;
  size: string;
  encryption: string;
  key_size: number;
}

export type Luks2Kdf = Luks2Pbkdf2 | Luks2Argon2 | Luks2UnknownKdf;

/** Kept; its slot cannot be opened. */
export interface Luks2UnknownKdf extends JsonRecord {
  type: string;
}

export interface Luks2Pbkdf2 extends JsonRecord {
  type: 'pbkdf2';
  hash: string;
  iterations: number;
  salt: string;
}

export interface Luks2Argon2 extends JsonRecord {
  type: 'argon2i' | 'argon2id';
  time: number;
  memory: number;
  cpus: number;
  salt: string;
}

/** The state of a re-encryption; its area is the journal or holds the checksums. */
export interface Luks2ReencryptKeyslot extends JsonRecord {
  type: 'reencrypt';
  /** Always 1. */
  key_size: number;
  area: Luks2ReencryptArea;
  mode: 'reencrypt' | 'encrypt' | 'decrypt';
  direction: 'forward' | 'backward';
  priority?: number;
}

export interface Luks2ReencryptArea extends JsonRecord {
  type: 'none' | 'checksum' | 'journal' | 'datashift' | 'datashift-checksum' | 'datashift-journal';
  offset: string;
  size: string;
  /** Of the two checksum types. */
  hash?: string;
  sector_size?: number;
  /** Of the three datashift types. */
  shift_size?: string;
}

/** A type of the future: kept, never used; only its area counts. */
export interface Luks2UnknownKeyslot extends JsonRecord {
  type: string;
  key_size: number;
  area: Luks2UnknownArea;
  priority?: number;
}

export interface Luks2UnknownArea extends JsonRecord {
  type: string;
  offset: string;
  size: string;
}

/** `type` and `keyslots` are there; the rest is the token's own affair, members with numbers for names included. */
export type Luks2Token = JsonMap;

export type Luks2Segment = Luks2CryptSegment | Luks2LinearSegment | Luks2UnknownSegment;

export interface Luks2CryptSegment extends JsonRecord {
  type: 'crypt';
  offset: string;
  /** Bytes, or `dynamic`: to the end of the device. */
  size: string;
  iv_tweak: string;
  encryption: string;
  sector_size: number;
  integrity?: Luks2Integrity;
  /** `in-reencryption`, `backup-previous`, `backup-final`, `backup-moved-segment` */
  flags?: string[];
}

export interface Luks2Integrity extends JsonRecord {
  type: string;
  journal_encryption: string;
  journal_integrity: string;
}

export interface Luks2LinearSegment extends JsonRecord {
  type: 'linear';
  offset: string;
  size: string;
  flags?: string[];
}

export interface Luks2UnknownSegment extends JsonRecord {
  type: string;
  offset: string;
  size: string;
  flags?: string[];
}

export type Luks2Digest = Luks2Pbkdf2Digest | Luks2UnknownDigest;

export interface Luks2Pbkdf2Digest extends JsonRecord {
  type: 'pbkdf2';
  /** Numbers of slots and segments, as strings. */
  keyslots: string[];
  segments: string[];
  hash: string;
  iterations: number;
  salt: string;
  digest: string;
}

export interface Luks2UnknownDigest extends JsonRecord {
  type: string;
  keyslots: string[];
  segments: string[];
}

export interface Luks2Config extends JsonRecord {
  json_size: string;
  keyslots_size: string;
  flags?: string[];
  requirements?: Luks2Requirements;
}

export interface Luks2Requirements extends JsonRecord {
  mandatory?: string[];
}

export const SECTION_NAMES = ['keyslots', 'tokens', 'segments', 'digests', 'config'] as const;

export function isPassphraseSlot(slot: Luks2Keyslot): slot is Luks2PassphraseKeyslot {
  return slot.type === 'luks2';
}

export function isPbkdf2(kdf: Luks2Kdf): kdf is Luks2Pbkdf2 {
  return kdf.type === 'pbkdf2';
}

export function isArgon2(kdf: Luks2Kdf): kdf is Luks2Argon2 {
  return kdf.type === 'argon2i' || kdf.type === 'argon2id';
}

export function isReencryptSlot(slot: Luks2Keyslot): slot is Luks2ReencryptKeyslot {
  return slot.type === 'reencrypt';
}

export function isCryptSegment(segment: Luks2Segment): segment is Luks2CryptSegment {
  return segment.type === 'crypt';
}

/** Segments of the past and the future of a re-encryption; they map nothing. */
export function isBackupSegment(segment: Luks2Segment): boolean {
  return segment.flags?.some((flag) => flag.startsWith('backup-')) ?? false;
}

export function isPbkdf2Digest(digest: Luks2Digest): digest is Luks2Pbkdf2Digest {
  return digest.type === 'pbkdf2';
}

/** Of a value that passed the checks. */
export function metadataOf(value: JsonValue): Luks2Metadata {
  const members = isObject(value) ? membersOf(value) : new Map<string, JsonValue>();
  const others: JsonMap = new Map();
  for (const [name, member] of members) {
    if (!(SECTION_NAMES as readonly string[]).includes(name)) others.set(name, member);
  }
  return {
    keyslots: numbered<Luks2Keyslot>(members.get('keyslots')),
    tokens: new Map(
      [...numbered<JsonRecord | JsonMap>(members.get('tokens'))].map(([number, token]) => [
        number,
        membersOf(token),
      ]),
    ),
    segments: numbered<Luks2Segment>(members.get('segments')),
    digests: numbered<Luks2Digest>(members.get('digests')),
    config: members.get('config') as Luks2Config,
    others,
    order: [...members.keys()],
  };
}

function numbered<T>(section: JsonValue | undefined): Map<number, T> {
  const result = new Map<number, T>();
  if (!isObject(section)) return result;
  for (const [name, member] of membersOf(section)) result.set(Number(name), member as T);
  return result;
}

/** The JSON value again, everything in the order it came in. */
export function jsonOf(metadata: Luks2Metadata): JsonValue {
  const section = (members: Map<number, JsonValue>): JsonMap =>
    new Map([...members].map(([number, member]) => [String(number), member]));
  const root: JsonMap = new Map();
  for (const name of metadata.order) {
    if (name === 'config') root.set(name, metadata.config);
    else if (name === 'keyslots') root.set(name, section(metadata.keyslots));
    else if (name === 'tokens') root.set(name, section(metadata.tokens));
    else if (name === 'segments') root.set(name, section(metadata.segments));
    else if (name === 'digests') root.set(name, section(metadata.digests));
    else root.set(name, metadata.others.get(name) ?? null);
  }
  return root;
}

/** As it is written to the disk. */
export function printMetadata(metadata: Luks2Metadata): string {
  return printJson(jsonOf(metadata));
}

/** As `cryptsetup luksDump --dump-json-metadata` prints it; there no newline follows. */
export function printMetadataPretty(metadata: Luks2Metadata): string {
  return printJsonPretty(jsonOf(metadata));
}

/** Deep; what an edit changes before it is written. */
export function copyMetadata(metadata: Luks2Metadata): Luks2Metadata {
  return metadataOf(parseJson(printMetadata(metadata)).value);
}
