/**
 * What dm-crypt's first argument says: `cipher[:keycount]-chainmode-ivmode[:ivopts]` or `capi:cipher_api_spec-ivmode[:ivopts]`.
 * Source: Documentation/admin-guide/device-mapper/dm-crypt.rst; the words of refusals and the odd forms as Linux 6.12 prints and takes them.
 */

import { DmError } from '../base/errors.ts';

const chainModes = ['xts', 'cbc', 'ecb', 'ctr'] as const;

export type ChainMode = (typeof chainModes)[number];

export interface CipherSpec {
  /** As given; what the table prints. */
  readonly text: string;
  /** `aes`, `serpent`, `des3_ede` ... as the kernel names them. */
  readonly cipher: string;
  readonly mode: ChainMode;
  /** A power of two; 1: one key. Sector number modulo it selects the key. */
  readonly keyCount: number;
  /** `plain64`, `essiv` ...; null for ecb without one,  whatever it says there has no effect. */
  readonly ivMode: string | null;
  /** essiv's hash, nothing for the others (taken, and without effect); null when absent. */
  readonly ivOptions: string | null;
  /** Hashes of `essiv(...)` around the cipher, outermost first; `aes-cbc-essiv:sha256` has it in `ivMode` and `ivOptions` instead. */
  readonly essivHashes: readonly string[];
}

/** CRYPTO_MAX_ALG_NAME, with the zero at the end. */
const MAX_ALGORITHM_BYTES = 128;
/** loop-AES has 64 keys, whatever the text says. */
const LMK_KEY_COUNT = 64;

/** Refuses what dm-crypt refuses, in its words. Whether the cipher and the IV exist is found when they are made. */
export function parseCipherSpec(text: string): CipherSpec {
  return text.startsWith('capi:') ? parseCapi(text) : parseClassic(text);
}

function parseClassic(text: string): CipherSpec {
  if (text.includes('(')) throw refusal(text, 'Bad cipher specification, "(" is for "capi:"');
  const [nameAndCount = '', chainmode, iv] = splitOnce(text, '-', 3);
  const [cipher = '', countText] = splitOnce(nameAndCount, ':', 2);
  const keyCount = parseKeyCount(text, countText);
  if (chainmode === undefined || (chainmode === 'plain' && iv === undefined)) {
    // The first format of all: only the cipher's name, or `-plain` behind it.
    checkLength(text, `cbc(${cipher})`);
    return {
      text,
      cipher,
      mode: 'cbc',
      keyCount,
      ivMode: 'plain',
      ivOptions: null,
      essivHashes: [],
    };
  }
  const [ivMode = null, ivOptions = null] = iv === undefined ? [] : splitOnce(iv, ':', 2);
  checkIv(text, chainmode, ivMode, ivOptions, []);
  checkLength(
    text,
    ivMode === 'essiv' ? `essiv(${chainmode}(${cipher}),${ivOptions})` : `${chainmode}(${cipher})`,
    's',
  );
  return {
    text,
    cipher,
    mode: chainModeOf(text, chainmode),
    keyCount,
    ivMode,
    ivOptions,
    essivHashes: [],
  };
}

/** From the end: the hash of `-essiv:hash` may have a "-" in its name. */
function parseCapi(text: string): CipherSpec {
  const [beforeOptions, ivOptions] = splitLast(text.slice('capi:'.length), ':');
  const [algorithm, ivMode] = splitLast(beforeOptions, '-');
  const essivHashes: string[] = [];
  let inner = algorithm;
  for (let found = findEssiv(inner); found; found = findEssiv(inner)) {
    essivHashes.push(found.hash);
    inner = found.inner;
  }
  const [, chainmode, cipher] = /^([a-z0-9]+)\(([a-z0-9_-]+)\)$/.exec(inner) ?? [];
  if (chainmode === undefined || cipher === undefined) {
    throw refusal(text, 'Error allocating crypto tfm, expected "mode(cipher)"', 'ENOENT');
  }
  checkIv(text, chainmode, ivMode, ivOptions, essivHashes);
  checkLength(text, ivMode === 'essiv' ? `essiv(${algorithm},${ivOptions})` : algorithm);
  return {
    text,
    cipher: cipher.replace(/-generic$/, ''),
    mode: chainModeOf(text, chainmode),
    keyCount: ivMode === 'lmk' ? LMK_KEY_COUNT : 1,
    ivMode,
    ivOptions,
    essivHashes,
  };
}

function findEssiv(algorithm: string): { inner: string; hash: string } | null {
  const [, inner, hash] = /^essiv\((.*),([^(),]*)\)$/.exec(algorithm) ?? [];
  return inner === undefined || hash === undefined ? null : { inner, hash };
}

function checkIv(
  text: string,
  chainmode: string,
  ivMode: string | null,
  ivOptions: string | null,
  essivHashes: readonly string[],
): void {
  if (ivMode === 'essiv' && ivOptions === null) {
    throw refusal(text, 'Digest algorithm missing for ESSIV mode, expected "essiv:<hash>"');
  }
  if (chainmode !== 'ecb' && ivMode === null) {
    // The kernel takes it, with whatever lies in its memory for an IV.
    throw refusal(text, 'IV mechanism required, expected "-<iv>" behind it');
  }
  if (chainmode === 'ecb' && (ivMode === 'essiv' || essivHashes.length > 0)) {
    throw refusal(
      text,
      'Error allocating crypto tfm, Unsupported essiv instantiation: ecb has no IV',
    );
  }
}

function chainModeOf(text: string, chainmode: string): ChainMode {
  const mode = chainModes.find((known) => known === chainmode);
  if (mode !== undefined) return mode;
  const expected = `expected one of ${chainModes.join(', ')}`;
  throw refusal(
    text,
    `Error allocating crypto tfm, no chain mode "${chainmode}" here, ${expected}`,
    'ENOENT',
  );
}

/** As sscanf's "%u": 32 bits, and whatever is above them is lost. */
function parseKeyCount(text: string, countText: string | undefined): number {
  if (countText === undefined) return 1;
  const count = /^[0-9]{1,20}$/.test(countText) ? Number(BigInt(countText) & 0xffff_ffffn) : 0;
  if (count > 0 && Number.isInteger(Math.log2(count))) return count;
  throw refusal(
    text,
    `Bad cipher key count specification, expected a power of two, got "${countText}"`,
  );
}

function checkLength(text: string, algorithm: string, plural = ''): void {
  if (algorithm.length < MAX_ALGORITHM_BYTES) return;
  const limit = `a name of at most ${MAX_ALGORITHM_BYTES - 1} characters`;
  throw refusal(
    text,
    `Cannot allocate cipher string${plural}, expected ${limit}, got ${algorithm.length}`,
    'ENOMEM',
  );
}

function refusal(
  text: string,
  words: string,
  code: 'EINVAL' | 'ENOENT' | 'ENOMEM' = 'EINVAL',
): DmError {
  return new DmError(code, `Cannot use the cipher "${text}": ${words}`);
}

/** At most `parts` parts; the last one keeps further separators. */
function splitOnce(text: string, separator: string, parts: number): string[] {
  const pieces = text.split(separator);
  if (pieces.length <= parts) return pieces;
  return [...pieces.slice(0, parts - 1), pieces.slice(parts - 1).join(separator)];
}

function splitLast(text: string, separator: string): [before: string, after: string | null] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}
