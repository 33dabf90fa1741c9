/**
 * The second argument: the key in hex, `-` for none, or `:<bytes>:<type>:<description>` for one of the keyring. What holds a key in hex comes as a
 * secret beside the text (core/line-secrets.ts).
 */

import { DmError } from '../../base/errors.ts';
import { readHex } from '../../base/hex.ts';
import type { KeyFinder } from '../../core/keyring.ts';
import { FIRST_SECRET_WORD, secretOf } from '../../core/line-secrets.ts';
import { Secret } from '../../crypto/secret.ts';

/** A key with what the table prints for it. */
export interface CryptKey {
  readonly secret: Secret;
  /** `:logon:name` behind the size, or null for a key in hex. */
  readonly reference: string | null;
  /** The memory is that of the target this one is a copy of. */
  readonly isBorrowed: boolean;
}

/** Overwrites what is the target's own. */
export function releaseKey({ secret, isBorrowed }: CryptKey): void {
  if (!isBorrowed) secret.wipe();
}

/** For a target without a key. */
export function zeroKey(sizeBytes: number): CryptKey {
  return { secret: Secret.allocate(sizeBytes), reference: null, isBorrowed: false };
}

export interface KeySource {
  secrets: readonly Secret[];
  keyring: KeyFinder;
}

export const BAD_KEY = 'Error decoding and setting key';

/** In bytes, before anything is known of the key itself. Throws DmError EINVAL. */
export function keySize(word: string, { secrets }: KeySource): number {
  const named = secretOf(word, secrets);
  if (named) return named.isText ? named.secret.lengthBytes >> 1 : named.secret.lengthBytes;
  if (!word.startsWith(':')) return word.length >> 1;
  const match = /^:(\d+):/.exec(word);
  if (match) return Number(match[1]);
  throw new DmError(
    'EINVAL',
    `Cannot parse key size: expected :<bytes>:<type>:<description>, got "${word}"`,
  );
}

/** The key of `sizeBytes`, in memory of its own. Throws DmError in the kernel's words, which never quote a key. */
export function readKey(word: string, sizeBytes: number, source: KeySource): CryptKey {
  const named = secretOf(word, source.secrets);
  if (named) {
    const { secret, isText } = named;
    if (!isText) return { secret, reference: null, isBorrowed: true };
    return { ...zeroKey(0), secret: decodeHex(secret.bytes, sizeBytes) };
  }
  if (sizeBytes === 0 && word !== '-') throw badKey('expected more than 0 bytes');
  if (word.startsWith(':')) return findKey(word, sizeBytes, source.keyring);
  if (word === '-') return zeroKey(0);
  throw badKey('expected hex digits');
}

/** Two digits a byte; half a byte at the end is not looked at, as in the kernel. */
function decodeHex(digits: Uint8Array, sizeBytes: number): Secret {
  if (sizeBytes === 0) throw badKey('expected two hex digits a byte, or - for no key');
  const secret = Secret.allocate(sizeBytes);
  if (readHex(digits, secret.bytes)) return secret;
  secret.wipe();
  throw badKey('it has characters that are not hex digits');
}

function findKey(word: string, sizeBytes: number, keyring: KeyFinder): CryptKey {
  const reference = word.replace(/^:\d+/, '');
  if (/\s/.test(word)) throw badKey('whitespace chars not allowed in key string');
  const [, type, description] = /^:([^:]+):(.+)$/.exec(reference) ?? [];
  if (type === undefined || description === undefined) {
    throw badKey(`expected :<bytes>:<type>:<description>, got "${word}"`);
  }
  checkType(type);
  const found = keyring.find(description);
  if (found === undefined) {
    const hint = `no key "${description}" in the keyring; add it with: devmapper key add ${description}`;
    throw new DmError('ENOKEY', `${BAD_KEY}: ${hint}`);
  }
  if (found.lengthBytes !== sizeBytes) {
    throw badKey(
      `key "${description}" has ${found.lengthBytes} bytes, the table says ${sizeBytes}`,
    );
  }
  return { secret: Secret.from(found.bytes), reference, isBorrowed: false };
}

function checkType(type: string): void {
  if (type === 'logon' || type === 'user') return;
  if (type === 'encrypted' || type === 'trusted') {
    throw badKey(`${type} keys are sealed by a kernel and open only there; use a logon key`);
  }
  throw badKey(`unknown key type "${type}", expected logon or user`);
}

export function badKey(detail: string): DmError {
  return new DmError('EINVAL', `${BAD_KEY}: ${detail}`);
}

/** What the table prints for the key. */
export function keyWord({ secret, reference }: CryptKey): string {
  if (secret.lengthBytes === 0) return '-';
  return reference === null ? FIRST_SECRET_WORD : `:${secret.lengthBytes}${reference}`;
}
