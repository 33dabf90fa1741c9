/** Keys are taken out of texts before anything becomes a string, and put back only where they are asked for. */

import { describe, expect, it } from 'vitest';
import { Secret } from '../crypto/secret.ts';
import {
  encodeShown,
  hideSecrets,
  readArguments,
  readMessage,
  secretOf,
  showSecrets,
  splitSecrets,
  wipeSecrets,
} from './line-secrets.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const textsOf = (secrets: readonly Secret[]) =>
  secrets.map(({ bytes }) => Buffer.from(bytes).toString());

describe('arguments', () => {
  it.each([
    ['aes-xts-plain64 00ff 0 7:0 0', 'aes-xts-plain64 :hex:0 0 7:0 0', '00ff'],
    ['  aes\t00ff  0 7:0 0 ', '  aes\t:hex:0  0 7:0 0 ', '00ff'],
    ['aes not-hex 0 7:0 0', 'aes :hex:0 0 7:0 0', 'not-hex'],
    ['a\\ b 00\\ ff 0', 'a\\ b :hex:0 0', '00\\ ff'],
    ['aes 00ff', 'aes :hex:0', '00ff'],
    ['aes 00ff\\', 'aes :hex:0', '00ff\\'],
  ])('%j', (text, wanted, key) => {
    const read = readArguments('crypt', encode(text));
    expect([read.text, textsOf(read.secrets)]).toEqual([wanted, [key]]);
  });

  it.each([
    'aes - 0 7:0 0',
    'aes :64:logon:a:b 0 7:0 0',
    // What an argument is named by cannot be typed.
    'aes :raw:0 0 7:0 0',
    'aes',
    'aes ',
    '',
  ])('%j has none', (text) => {
    expect(splitSecrets('crypt', text)).toEqual({ text, secrets: [] });
  });

  it('other types have none', () => {
    expect(splitSecrets('linear', '7:0 00ff')).toEqual({ text: '7:0 00ff', secrets: [] });
  });

  it('the secret is a copy', () => {
    const bytes = encode('aes 00ff 0 7:0 0');
    const { secrets } = readArguments('crypt', bytes);
    bytes.fill(0);
    expect(textsOf(secrets)).toEqual(['00ff']);
    wipeSecrets(secrets);
    expect(secrets[0]!.isWiped).toBe(true);
  });
});

describe('messages', () => {
  it.each([
    ['key set 00ff', 'key set :hex:0', '00ff'],
    [' KEY  Set 00ff', ' KEY  Set :hex:0', '00ff'],
    ['key set 00ff more', 'key set :hex:0 more', '00ff'],
  ])('%j', (text, wanted, key) => {
    const read = readMessage(encode(text));
    expect([read.text, textsOf(read.secrets)]).toEqual([wanted, [key]]);
  });

  it.each(['key set -', 'key set :64:logon:a:b', 'key set', 'key wipe', 'keys set 00ff', 'set'])(
    '%j has none',
    (text) => {
      expect(readMessage(encode(text))).toEqual({ text, secrets: [] });
    },
  );
});

describe('what words name', () => {
  const secrets = [Secret.from(Uint8Array.of(0xab, 0x01)), Secret.from(Uint8Array.of(0xff))];
  const text = 'aes :raw:0 0 7:0 0 x:raw:1 :raw:1 :raw:7';

  it('is shown in hex, or as zeroes', () => {
    expect(showSecrets(text, secrets)).toBe('aes ab01 0 7:0 0 x:raw:1 ff :raw:7');
    expect(hideSecrets(text, secrets)).toBe('aes 0000 0 7:0 0 x:raw:1 00 :raw:7');
    const shown = encodeShown({ text, secrets });
    expect(Buffer.from(shown).toString()).toBe(showSecrets(text, secrets));
  });

  it('stays a word without secrets', () => {
    expect(showSecrets(text)).toBe(text);
    expect(hideSecrets(text)).toBe(text);
  });

  it('is found by whoever has the secrets', () => {
    expect(secretOf(':raw:1', secrets)).toEqual({ secret: secrets[1], isText: false });
    expect(secretOf(':hex:0', secrets)).toEqual({ secret: secrets[0], isText: true });
    for (const word of [':raw:2', 'raw:0', ':raw:0 ', ':64:logon:a:b', '']) {
      expect(secretOf(word, secrets)).toBeUndefined();
    }
    expect(secretOf(':raw:0', [])).toBeUndefined();
  });
});
