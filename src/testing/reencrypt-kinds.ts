/** What the simulation of re-encryption re-encrypts: small volumes of every kind, with a quick cipher that stands for the real ones. */

import { expect } from 'vitest';
import type { ByteDisk } from '../core/byte-disk.ts';
import { Secret } from '../crypto/secret.ts';
import type { Luks2Header } from '../formats/luks2/header.ts';
import { parseJson } from '../formats/luks2/json-text.ts';
import { metadataOf } from '../formats/luks2/metadata.ts';
import * as reencrypt from '../formats/luks2/reencrypt/reencrypt.ts';
import type { OpenSide } from '../formats/luks2/reencrypt/side-cipher.ts';
import type { ReencryptDisks, ReencryptTuning } from '../formats/luks2/reencrypt/types.ts';
import { writeNewHeader } from '../formats/luks2/write-header.ts';

export const SECTOR = 512;
const HEADER = 0x4000;
const SLOTS = 8192;
export const FRONT = 2 * HEADER + SLOTS;
const ZONE = 4096;
/** Where data begin behind a header that comes in front; the gap has plain text at first. */
export const AHEAD = FRONT + ZONE;

/** Sector `n` of side `key`: every byte differs with key and sector. Its own inverse. */
export function scramble(bytes: Uint8Array, key: number, logicalBytes: number): void {
  for (let at = 0; at < bytes.length; at += 1) {
    const sector = Math.floor((logicalBytes + at) / SECTOR);
    bytes[at] = bytes[at]! ^ ((Math.imul(sector + 1, 2654435761) >>> 13) + key * 89 + at * 7);
  }
}

export const openSide: OpenSide = (side, key) => {
  const number = side.cipher === null ? 0 : key!.bytes[0]!;
  const apply = (bytes: Uint8Array, logicalBytes: number) => {
    expect(logicalBytes % side.sectorBytes).toBe(0);
    expect(bytes.byteLength % side.sectorBytes).toBe(0);
    if (number > 0) scramble(bytes, number, logicalBytes + side.ivTweak * SECTOR);
  };
  return { decrypt: apply, encrypt: apply, [Symbol.dispose]: () => undefined };
};

export const OLD = 1;
export const NEW = 2;
export const keyOf = (number: number) => Secret.from(new Uint8Array(32).fill(number));

const digest = (segments: string[]) => ({
  type: 'pbkdf2',
  keyslots: [],
  segments,
  hash: 'sha256',
  iterations: 1000,
  salt: Buffer.alloc(32, 1).toString('base64'),
  digest: Buffer.alloc(32, 2).toString('base64'),
});

/** A header that holds what re-encryption looks at, and nothing to unlock. */
export async function formatForReencrypt(
  disk: ByteDisk,
  offsetBytes: number,
): Promise<Luks2Header> {
  const segment = {
    type: 'crypt',
    offset: String(offsetBytes),
    size: 'dynamic',
    iv_tweak: '0',
    encryption: 'aes-xts-plain64',
    sector_size: SECTOR,
  };
  const text = JSON.stringify({
    keyslots: {},
    tokens: {},
    segments: { 0: segment },
    digests: { 0: digest(['0']), 1: digest([]) },
    config: { json_size: String(HEADER - 4096), keyslots_size: String(SLOTS) },
  });
  const salts = { primary: new Uint8Array(64), secondary: new Uint8Array(64) };
  return writeNewHeader(disk, {
    headerBytes: HEADER,
    sequenceId: 1n,
    uuid: 'f0f0f0f0-0000-4000-8000-000000000000',
    label: '',
    subsystem: '',
    checksumAlgorithm: 'sha256',
    salts,
    metadata: metadataOf(parseJson(text).value),
    damage: { primary: null, secondary: null },
  });
}

export interface ReencryptKind {
  name: string;
  /** Bytes of the data disk in front of the data, before. */
  front: number;
  detached: boolean;
  dataBytes: number;
  /** Behind the data. */
  spareBytes: number;
  keys: { old: number; new: number };
  begin: (disks: ReencryptDisks, header: Luks2Header) => Promise<Luks2Header>;
  tuning?: ReencryptTuning;
  /** Where the volume begins afterwards. */
  finalOffset: number;
  finalBytes: number;
}

const tunings: Record<string, ReencryptTuning> = {
  checksum: { resilience: 'checksum', hotzoneBytes: ZONE },
  journal: { resilience: 'journal', hotzoneBytes: ZONE },
};

/** Where a chunk under way is kept elsewhere: every resilience that does. */
function inPlace(): ReencryptKind[] {
  const all: ReencryptKind[] = [];
  const dataBytes = 3 * ZONE + 1024;
  for (const [name, tuning] of Object.entries(tunings)) {
    const base = { tuning, spareBytes: 0, dataBytes, finalBytes: dataBytes };
    all.push({
      ...base,
      name: `change of the key, ${name}`,
      front: FRONT,
      detached: false,
      keys: { old: OLD, new: NEW },
      finalOffset: FRONT,
      begin: (disks, header) =>
        reencrypt.beginReencrypt(disks, header, {
          ...tuning,
          oldKey: keyOf(OLD),
          newKey: keyOf(NEW),
          newDigest: 1,
        }),
    });
    all.push({
      ...base,
      name: `encryption with a detached header, ${name}`,
      front: 0,
      detached: true,
      keys: { old: 0, new: NEW },
      finalOffset: 0,
      begin: (disks, header) =>
        reencrypt.beginEncrypt(disks, header, { ...tuning, volumeKey: keyOf(NEW) }),
    });
    all.push({
      ...base,
      name: `decryption with a detached header, ${name}`,
      front: 0,
      detached: true,
      keys: { old: OLD, new: 0 },
      finalOffset: 0,
      begin: (disks, header) =>
        reencrypt.beginDecrypt(disks, header, { ...tuning, volumeKey: keyOf(OLD) }),
    });
    all.push({
      ...base,
      name: `decryption with an exported header, ${name}`,
      front: FRONT,
      detached: true,
      dataBytes: FRONT + 3 * ZONE,
      keys: { old: OLD, new: 0 },
      finalOffset: 0,
      finalBytes: FRONT + 3 * ZONE,
      begin: (disks, header) =>
        reencrypt.beginDecryptShifted(disks, header, { ...tuning, volumeKey: keyOf(OLD) }),
    });
  }
  return all;
}

/** The data move away from the front, which is what keeps a chunk: datashift. */
function shifted(): ReencryptKind[] {
  const inFront: ReencryptKind = {
    name: 'encryption with the header in front',
    front: 0,
    detached: false,
    dataBytes: 2 * AHEAD + 3 * ZONE,
    spareBytes: 2 * AHEAD,
    keys: { old: 0, new: NEW },
    finalOffset: AHEAD,
    finalBytes: 2 * AHEAD + 3 * ZONE,
    begin: (disks, header) =>
      reencrypt.beginEncrypt(disks, header, { reduceBytes: 2 * AHEAD, volumeKey: keyOf(NEW) }),
  };
  const shiftBytes = 2 * ZONE;
  const change: ReencryptKind = {
    name: 'change of the key with datashift',
    front: FRONT,
    detached: false,
    dataBytes: 5 * ZONE,
    spareBytes: shiftBytes,
    keys: { old: OLD, new: NEW },
    finalOffset: FRONT + shiftBytes,
    finalBytes: 5 * ZONE,
    begin: (disks, header) =>
      reencrypt.beginReencrypt(disks, header, {
        shiftBytes,
        oldKey: keyOf(OLD),
        newKey: keyOf(NEW),
        newDigest: 1,
      }),
  };
  return [inFront, change];
}

/** Every way a volume can be re-encrypted. */
export function reencryptKinds(): ReencryptKind[] {
  return [...inPlace(), ...shifted()];
}
