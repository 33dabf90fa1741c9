/** Tokens: notes on where a passphrase comes from. We keep them, and understand none but `luks2-keyring`. */

import { DmError } from '../../base/errors.ts';
import { checkToken } from './check/digests.ts';
import { JsonNode } from './check/node.ts';
import { isObject, membersOf, parseJson, printJson } from './json-text.ts';
import { TOKENS_MAX } from './limits.ts';
import type { Luks2Metadata, Luks2Token } from './metadata.ts';

/** Names that are cryptsetup's own. */
const BUILTIN_PREFIX = 'luks2-';
const KEYRING_TYPE = 'luks2-keyring';

export interface ImportOptions {
  /** Default: the first free one. */
  token?: number;
  /** One that is there may be overwritten. */
  replace?: boolean;
}

export function tokenType(token: Luks2Token): string {
  const type = token.get('type');
  return typeof type === 'string' ? type : '';
}

export function tokenKeyslots(token: Luks2Token): string[] {
  const keyslots = token.get('keyslots');
  return Array.isArray(keyslots)
    ? keyslots.filter((slot): slot is string => typeof slot === 'string')
    : [];
}

/** Changes which slots the token is for. */
export function setTokenKeyslots(token: Luks2Token, keyslots: readonly string[]): void {
  token.set('keyslots', [...keyslots]);
}

/** Compact JSON, as `cryptsetup token export` prints it. */
export function tokenText(metadata: Luks2Metadata, token: number): string {
  return printJson(findToken(metadata, token));
}

function findToken(metadata: Luks2Metadata, token: number): Luks2Token {
  const found = metadata.tokens.get(token);
  if (!found) throw new DmError('EINVAL', `Token ${token} is not in use.`);
  return found;
}

/** Adds what the text says; answers the token's number. Throws DmError EINVAL, FormatError. */
export function importToken(metadata: Luks2Metadata, text: string, options: ImportOptions): number {
  const { value, lengthChars } = parseJson(text);
  if (text.slice(lengthChars).trim() !== '') {
    throw new DmError('EINVAL', 'Cannot import token: expected one JSON object, got more text');
  }
  const number = options.token ?? freeTokenNumber(metadata);
  if (!Number.isInteger(number) || number < 0 || number >= TOKENS_MAX) {
    throw new DmError(
      'EINVAL',
      `Cannot import token: its number must be from 0 to ${TOKENS_MAX - 1}, got ${number}`,
    );
  }
  if (metadata.tokens.has(number) && !options.replace) {
    throw new DmError('EINVAL', `Token ${number} in use.`);
  }
  checkToken(new JsonNode(`tokens.${number}`, value), metadata.keyslots);
  const token = isObject(value) ? new Map(membersOf(value)) : new Map();
  checkBuiltin(token);
  metadata.tokens.set(number, token);
  return number;
}

function checkBuiltin(token: Luks2Token): void {
  const type = tokenType(token);
  if (!type.startsWith(BUILTIN_PREFIX)) return;
  if (type !== KEYRING_TYPE) {
    throw new DmError(
      'EINVAL',
      `Cannot import token: types that begin with "${BUILTIN_PREFIX}" are reserved, and "${type}" is not known`,
    );
  }
  const description = token.get('key_description');
  if (token.size !== 3 || typeof description !== 'string' || description === '') {
    throw new DmError(
      'EINVAL',
      `Cannot import token: a ${KEYRING_TYPE} token has type, keyslots and key_description, and nothing else`,
    );
  }
}

function freeTokenNumber(metadata: Luks2Metadata): number {
  for (let number = 0; number < TOKENS_MAX; number += 1) {
    if (!metadata.tokens.has(number)) return number;
  }
  throw new DmError('ENOSPC', `Cannot import token: all ${TOKENS_MAX} are in use`);
}

export function removeToken(metadata: Luks2Metadata, token: number): void {
  findToken(metadata, token);
  metadata.tokens.delete(token);
}
