import { expect, test } from 'vitest';
import { defaultKeyBytes } from './new-volume.ts';

test('xts has two keys, however it is written', () => {
  const ciphers = ['aes-xts-plain64', 'capi:xts(aes)-plain64', 'aes-cbc-plain', 'aes', 'null'];
  expect(ciphers.map((cipher) => defaultKeyBytes(cipher))).toEqual([64, 64, 32, 32, 32]);
  expect(defaultKeyBytes()).toBe(64);
});
