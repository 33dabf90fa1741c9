/** Makes a sector cipher from what dm-crypt's table line says: finds cipher, mode and IV, divides the key, and refuses what dm-crypt refuses. */

import { DmError } from '../base/errors.ts';
import { withAssistant } from './assistant/assisted-sector-cipher.ts';
import { BulkSectorCipher, type CipherPart, closePart } from './bulk-sector-cipher.ts';
import type { CipherType } from './cipher/block-cipher.ts';
import { findCipherType } from './cipher/index.ts';
import { type CipherEngine, type CipherPath, cipherEngine } from './cipher-engine.ts';
import type { CipherSpec } from './cipher-spec.ts';
import { checkEssivHash, withEssiv } from './iv/essiv.ts';
import { findIvType } from './iv/index.ts';
import type { IvGenerator, IvType } from './iv/iv-generator.ts';
import type { ModeType } from './mode/chain-mode.ts';
import { modeTypes } from './mode/index.ts';
import type { SectorCipher, SectorCipherOptions } from './sector-cipher.ts';

/** `path` leaves out the faster ways, for tests. */
export function createSectorCipher(options: SectorCipherOptions, path?: CipherPath): SectorCipher {
  const { spec, key, sectorBytes } = options;
  checkSectorBytes(spec, sectorBytes);
  const cipher = cipherTypeOf(spec);
  const mode = modeTypes[spec.mode];
  const ivType = mode.hasIv ? ivTypeOf(spec) : null;
  const extraBytes = ivType?.extraKeyBytes?.(key.byteLength, spec.keyCount, cipher.blockBytes) ?? 0;
  const keys = divideKey(spec, mode, cipher, key.subarray(0, key.byteLength - extraBytes));
  const extraKey = key.subarray(key.byteLength - extraBytes);
  if (mode.hasIv) for (const hash of essivHashesOf(spec)) checkEssivHash(hash, cipher);
  const engine = cipherEngine(path);
  const firstKey = keys[0]!;
  const parts: CipherPart[] = [];
  try {
    for (const part of keys) {
      parts.push(
        createPart(options, { cipher, mode, ivType, key: part, firstKey, extraKey, engine }),
      );
    }
  } catch (error) {
    for (const part of parts) closePart(part);
    throw error;
  }
  const made = new BulkSectorCipher(options, engine, cipher.blockBytes, parts);
  return withAssistant(made, options);
}

function checkSectorBytes(spec: CipherSpec, sectorBytes: number): void {
  const isPower = Number.isInteger(Math.log2(sectorBytes));
  if (isPower && sectorBytes >= 512 && sectorBytes <= 4096) return;
  throw new DmError(
    'EINVAL',
    `Cannot use the cipher "${spec.text}": Invalid feature value for sector_size, expected 512, 1024, 2048 or 4096 bytes, got ${sectorBytes}`,
  );
}

function cipherTypeOf(spec: CipherSpec): CipherType {
  const type = findCipherType(spec.cipher);
  if (!type) {
    throw new DmError(
      'ENOENT',
      `Cannot use the cipher "${spec.text}": Error allocating crypto tfm, there is no cipher "${spec.cipher}" here`,
    );
  }
  if (type.onlyEcb && spec.mode !== 'ecb') {
    throw new DmError(
      'EINVAL',
      `Cannot use the cipher "${spec.text}": Error allocating crypto tfm, ${type.name} is for ecb, got ${spec.mode}`,
    );
  }
  if (spec.mode === 'xts' && type.blockBytes !== 16) {
    throw new DmError(
      'EINVAL',
      `Cannot use the cipher "${spec.text}": Error allocating crypto tfm, xts needs blocks of 16 bytes, ${type.name} has ${type.blockBytes}`,
    );
  }
  return type;
}

function ivTypeOf(spec: CipherSpec): IvType {
  const name = spec.ivMode === 'essiv' ? 'plain64' : (spec.ivMode ?? 'null');
  const type = findIvType(name);
  if (type) return type;
  if (name === 'random') {
    throw new DmError(
      'EINVAL',
      `Cannot use the cipher "${spec.text}": Integrity profile not supported., random IVs need a device that stores them`,
    );
  }
  throw new DmError(
    'EINVAL',
    `Cannot use the cipher "${spec.text}": Invalid IV mode, there is no "${name}"`,
  );
}

/** Equal parts for the keys of a multi-key cipher, each of a length that the cipher takes. Weak keys pass, as in a kernel outside FIPS mode. */
function divideKey(
  spec: CipherSpec,
  mode: ModeType,
  cipher: CipherType,
  key: Uint8Array,
): Uint8Array[] {
  // What is left over the kernel does not look at.
  const partBytes = Math.floor(key.byteLength / spec.keyCount);
  if (!cipher.keyLengthsBytes.includes(partBytes / mode.keysPerCipher)) {
    const lengths = cipher.keyLengthsBytes.map(
      (bytes) => bytes * mode.keysPerCipher * spec.keyCount,
    );
    throw new DmError(
      'EINVAL',
      `Cannot use the cipher "${spec.text}": Error decoding and setting key, expected ${lengths.join(', ')} bytes, got ${key.byteLength}`,
    );
  }
  return Array.from({ length: spec.keyCount }, (_, index) =>
    key.subarray(index * partBytes, (index + 1) * partBytes),
  );
}

interface PartContext {
  cipher: CipherType;
  mode: ModeType;
  ivType: IvType | null;
  /** Of the sectors' own. */
  key: Uint8Array;
  firstKey: Uint8Array;
  extraKey: Uint8Array;
  engine: CipherEngine;
}

function createPart(options: SectorCipherOptions, context: PartContext): CipherPart {
  const { cipher, mode, ivType, key, engine } = context;
  const created = mode.create(cipher, key, engine);
  try {
    return { mode: created, iv: ivType && createIv(ivType, options, context) };
  } catch (error) {
    created.close();
    throw error;
  }
}

function createIv(type: IvType, options: SectorCipherOptions, context: PartContext): IvGenerator {
  const { spec, sectorBytes } = options;
  const { cipher, mode, key, firstKey, extraKey, engine } = context;
  const ivBytes = cipher.blockBytes;
  const wrap = (iv: IvGenerator, hashes: readonly string[], hashedKey: Uint8Array) =>
    hashes.reduce(
      (inner, hash) => withEssiv(inner, hash, hashedKey, { cipher, engine, ivBytes }),
      iv,
    );
  const iv = type.create({
    engine,
    cipher,
    mode: spec.mode,
    cipherKey: key,
    firstKey,
    extraKey,
    ivOptions: spec.ivOptions,
    ivBytes,
    sectorBytes,
    createMode: () => mode.create(cipher, firstKey, engine),
    wrapInTemplates: (inner) => wrap(inner, spec.essivHashes, firstKey),
  });
  return wrap(iv, essivHashesOf(spec), key);
}

/** Outermost first. */
function essivHashesOf(spec: CipherSpec): readonly string[] {
  return spec.ivMode === 'essiv' && spec.ivOptions !== null
    ? [spec.ivOptions, ...spec.essivHashes]
    : spec.essivHashes;
}
