/**
 * Keys in the arguments of tables and messages. No string holds one for longer than it must: strings cannot be wiped. In their place stands
 * a word that names a secret beside the text: `:hex:0` is the first one, spelled as it was typed; `:raw:0` is its bytes.
 *
 * Whoever types such a word gets what the kernel says to it, since there is no secret that it could name.
 */

import { hexOf, writeHex } from '../base/hex.ts';
import { Secret } from '../crypto/secret.ts';

/** Text and what its words name. */
export interface SecretText {
  readonly text: string;
  readonly secrets: readonly Secret[];
}

/** Which argument of a type may be a key, counted from 0. */
const KEY_ARGUMENTS: ReadonlyMap<string, number> = new Map([['crypt', 1]]);
/** In `key set KEY`. */
const MESSAGE_KEY_ARGUMENT = 2;
const NO_SECRETS: readonly Secret[] = [];

const HEX_WORD = ':hex:0';
const RAW_WORD = /^:(hex|raw):(\d{1,3})$/;
const RAW_WORDS = /(^| ):raw:(\d{1,3})(?= |$)/g;

/** What a table prints for its first secret. */
export const FIRST_SECRET_WORD = ':raw:0';

const COLON = 0x3a;
const BACKSLASH = 0x5c;

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Arguments of a row of a table, as bytes that the caller wipes. */
export function readArguments(type: string, bytes: Uint8Array): SecretText {
  const index = KEY_ARGUMENTS.get(type);
  return index === undefined ? { text: decode(bytes), secrets: NO_SECRETS } : lift(bytes, index);
}

/** The same for a caller who has a string already. */
export function splitSecrets(type: string, text: string): SecretText {
  if (!KEY_ARGUMENTS.has(type)) return { text, secrets: NO_SECRETS };
  const bytes = encode(text);
  try {
    return readArguments(type, bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Words for a target, as bytes that the caller wipes. */
export function readMessage(bytes: Uint8Array): SecretText {
  return isKeyMessage(bytes)
    ? lift(bytes, MESSAGE_KEY_ARGUMENT)
    : { text: decode(bytes), secrets: NO_SECRETS };
}

/** `key set` in front, however it is spelled. Only words that short become strings. */
function isKeyMessage(bytes: Uint8Array): boolean {
  return ['key', 'set'].every((expected, index) => {
    const { start, end } = findWord(bytes, index);
    return (
      end - start === expected.length &&
      decode(bytes.subarray(start, end)).toLowerCase() === expected
    );
  });
}

/** The secret that a word names, and whether it is text; undefined for every other word. */
export function secretOf(
  word: string,
  secrets: readonly Secret[],
): { secret: Secret; isText: boolean } | undefined {
  const match = RAW_WORD.exec(word);
  const secret = match ? secrets[Number(match[2])] : undefined;
  return secret && { secret, isText: match![1] === 'hex' };
}

/** With the keys in it, in hex. */
export function showSecrets(text: string, secrets: readonly Secret[] = NO_SECRETS): string {
  return replaceWords(text, secrets, (secret) => hexOf(secret.bytes));
}

/** With as many zeroes instead of each key, as dmsetup prints a table. */
export function hideSecrets(text: string, secrets: readonly Secret[] = NO_SECRETS): string {
  return replaceWords(text, secrets, (secret) => '0'.repeat(2 * secret.lengthBytes));
}

/** As `showSecrets`, but in bytes, which the caller wipes. */
export function encodeShown({ text, secrets }: SecretText): Uint8Array {
  const bytes = encode(hideSecrets(text, secrets));
  for (const [word] of text.matchAll(RAW_WORDS)) {
    const index = Number(/\d+$/.exec(word)![0]);
    const secret = secrets[index];
    if (secret === undefined) continue;
    const before = text.slice(0, text.indexOf(word) + word.indexOf(':'));
    writeHex(bytes, encode(hideSecrets(before, secrets)).length, secret.bytes);
  }
  return bytes;
}

function replaceWords(
  text: string,
  secrets: readonly Secret[],
  print: (secret: Secret) => string,
): string {
  if (secrets.length === 0) return text;
  return text.replace(RAW_WORDS, (word, before: string, index: string) => {
    const secret = secrets[Number(index)];
    return secret === undefined ? word : before + print(secret);
  });
}

/** Takes one word out, unless it is a reference (`:64:logon:...`) or says that there is no key. */
function lift(bytes: Uint8Array, wordIndex: number): SecretText {
  const { start, end } = findWord(bytes, wordIndex);
  const isKey = end > start && bytes[start] !== COLON && !isDash(bytes, start, end);
  if (!isKey) return { text: decode(bytes), secrets: NO_SECRETS };
  const secret = Secret.from(bytes.subarray(start, end));
  const text = `${decode(bytes.subarray(0, start))}${HEX_WORD}${decode(bytes.subarray(end))}`;
  // A concatenation refers to its parts; none of them holds the key.
  return { text, secrets: [secret] };
}

function isDash(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 1 && bytes[start] === 0x2d;
}

/** Where the word is, as `splitArguments` would have it; an empty range when there are fewer. */
function findWord(bytes: Uint8Array, wordIndex: number): { start: number; end: number } {
  let at = 0;
  for (let index = 0; ; index += 1) {
    while (at < bytes.length && isSpace(bytes[at]!)) at += 1;
    const start = at;
    while (at < bytes.length && !isSpace(bytes[at]!)) at += bytes[at] === BACKSLASH ? 2 : 1;
    at = Math.min(at, bytes.length);
    if (index === wordIndex || at === bytes.length) {
      return index === wordIndex ? { start, end: at } : { start: at, end: at };
    }
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function wipeSecrets(secrets: readonly Secret[] = NO_SECRETS): void {
  for (const secret of secrets) secret.wipe();
}
