import { expect, test } from 'vitest';
import { Keyring } from './keyring.ts';

const payload = () => Uint8Array.of(1, 2, 3);

test('gives back what was added last, a copy', () => {
  const keyring = new Keyring();
  const given = payload();
  keyring.add('cryptsetup:a', Uint8Array.of(9));
  keyring.add('cryptsetup:a', given);
  given.fill(0);
  expect(keyring.find('cryptsetup:a')?.bytes).toEqual(payload());
  expect(keyring.find('cryptsetup:b')).toBeUndefined();
  expect(keyring.size).toBe(1);
});

test('overwrites what it lets go', () => {
  const keyring = new Keyring();
  keyring.add('cryptsetup:a', payload());
  const replaced = keyring.find('cryptsetup:a')!.bytes;
  keyring.add('cryptsetup:a', payload());
  const removed = keyring.find('cryptsetup:a')!.bytes;
  expect([keyring.remove('cryptsetup:a'), keyring.remove('cryptsetup:a')]).toEqual([true, false]);
  keyring.add('cryptsetup:a', payload());
  const wiped = keyring.find('cryptsetup:a')!.bytes;
  keyring.wipe();
  expect([replaced, removed, wiped]).toEqual(Array.from({ length: 3 }, () => new Uint8Array(3)));
  expect(keyring.size).toBe(0);
});

test('refuses what the kernel refuses, and does not quote it', () => {
  const keyring = new Keyring();
  expect(() => keyring.add('no-prefix', payload())).toThrow(/description/);
  expect(() => keyring.add(`a:${'b'.repeat(511)}`, payload())).toThrow(/512 characters/);
  expect(() => keyring.add('a:b', new Uint8Array(0))).toThrow(/got 0/);
  expect(() => keyring.add('a:b', new Uint8Array(4097))).toThrow(/got 4097/);
  expect(() => keyring.add('a:b c', payload())).toThrow(/white space/);
});

test('is bounded: the oldest key goes', () => {
  const keyring = new Keyring();
  for (let index = 0; index < 1025; index += 1) keyring.add(`a:${index}`, payload());
  expect([keyring.size, keyring.find('a:0')]).toEqual([1024, undefined]);
  expect(keyring.find('a:1')!.bytes).toEqual(payload());
  expect(keyring.list()[0]).toEqual({ description: 'a:1', lengthBytes: 3 });
});

test('a key for once goes when it was used, and only then', () => {
  const keyring = new Keyring();
  keyring.add('a:once', payload(), { once: true });
  keyring.add('a:kept', payload());
  keyring.forgetUsed();
  expect(keyring.size).toBe(2);
  const found = keyring.find('a:once')!.bytes;
  keyring.find('a:kept');
  keyring.forgetUsed();
  expect([keyring.list().map(({ description }) => description), found]).toEqual([
    ['a:kept'],
    new Uint8Array(3),
  ]);
});
