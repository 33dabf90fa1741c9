import { expect, test } from 'vitest';
import { Keyring } from './keyring.ts';

const payload = () => Uint8Array.of(1, 2, 3);

test('gives back what was added last, a copy', () => {
  const keyring = new Keyring();
  const given = payload();
  keyring.add('cryptsetup:a', Uint8Array.of(9));
  keyring.add('cryptsetup:a', given);
  given.fill(0);
  expect(keyring.find('cryptsetup:a')).toEqual(payload());
  expect(keyring.find('cryptsetup:b')).toBeUndefined();
  expect(keyring.size).toBe(1);
});

test('overwrites what it lets go', () => {
  const keyring = new Keyring();
  keyring.add('cryptsetup:a', payload());
  const replaced = keyring.find('cryptsetup:a');
  keyring.add('cryptsetup:a', payload());
  const wiped = keyring.find('cryptsetup:a');
  keyring.wipe();
  expect([replaced, wiped]).toEqual([new Uint8Array(3), new Uint8Array(3)]);
  expect(keyring.size).toBe(0);
});

test('refuses what the kernel refuses, and does not quote it', () => {
  const keyring = new Keyring();
  expect(() => keyring.add('no-prefix', payload())).toThrow(/description/);
  expect(() => keyring.add(`a:${'b'.repeat(511)}`, payload())).toThrow(/512 characters/);
  expect(() => keyring.add('a:b', new Uint8Array(0))).toThrow(/got 0/);
  expect(() => keyring.add('a:b', new Uint8Array(1025))).toThrow(/got 1025/);
});

test('is bounded: the oldest key goes', () => {
  const keyring = new Keyring();
  for (let index = 0; index < 1025; index += 1) keyring.add(`a:${index}`, payload());
  expect([keyring.size, keyring.find('a:0'), keyring.find('a:1')]).toEqual([
    1024,
    undefined,
    payload(),
  ]);
});
