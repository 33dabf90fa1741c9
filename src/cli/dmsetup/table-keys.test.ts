import { describe, expect, it } from 'vitest';
import { hideKeys } from './table-keys.ts';

function hidden(type: string, params: string): string {
  return hideKeys({ start: 0, length: 8, type, params }).params;
}

// Tables of a real kernel, as dmsetup 1.02.185 prints them without --showkeys.
describe('hideKeys', () => {
  it.each([
    ['crypt', 'aes-xts-plain64 0102ff 0 7:0 0', 'aes-xts-plain64 000000 0 7:0 0'],
    ['crypt', 'aes-xts-plain64 :32:user:k 0 7:0 0', 'aes-xts-plain64 :32:user:k 0 7:0 0'],
    ['crypt', 'cipher_null-ecb - 0 7:0 0', 'cipher_null-ecb - 0 7:0 0'],
    [
      'integrity',
      '7:0 1000 32 D 3 fix_hmac internal_hash:hmac(sha256):0102 journal_crypt:ctr(aes):0a0b',
      '7:0 1000 32 D 3 fix_hmac internal_hash:hmac(sha256):0000 journal_crypt:ctr(aes):0000',
    ],
    ['integrity', '7:0 0 32 D 1 internal_hash:crc32c', '7:0 0 32 D 1 internal_hash:crc32c'],
    ['linear', '7:0 8', '7:0 8'],
  ])('%s %s', (type, params, expected) => {
    expect(hidden(type, params)).toBe(expected);
  });
});
