import { describe, expect, test } from 'vitest';
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

test('is bounded: what is there stays, and can be replaced', () => {
  const keyring = new Keyring();
  for (let index = 0; index < 1024; index += 1) keyring.add(`a:${index}`, payload());
  const onceMore = () => keyring.add('a:more', payload());
  expect(onceMore).toThrow(expect.objectContaining({ code: 'EDQUOT' }));
  expect(onceMore).toThrow(/"a:more": there are 1024 keys already/);
  expect([keyring.size, keyring.find('a:0')!.bytes]).toEqual([1024, payload()]);
  keyring.add('a:7', Uint8Array.of(9));
  expect(keyring.find('a:7')!.bytes).toEqual(Uint8Array.of(9));
  keyring.remove('a:0');
  onceMore();
});

describe('keys for once', () => {
  test('go when they were used, and only then', () => {
    const keyring = new Keyring();
    keyring.add('a:once', payload(), { once: true });
    keyring.add('a:kept', payload());
    const user = keyring.createUser();
    user.forgetUsed();
    expect(keyring.size).toBe(2);
    const found = user.find('a:once')!.bytes;
    user.find('a:kept');
    user.forgetUsed();
    expect([keyring.list().map(({ description }) => description), found]).toEqual([
      ['a:kept'],
      new Uint8Array(3),
    ]);
  });

  test('stay while only another one has used them', () => {
    const keyring = new Keyring();
    keyring.add('a:once', payload(), { once: true });
    const [loading, other] = [keyring.createUser(), keyring.createUser()];
    loading.find('a:once');
    other.forgetUsed();
    expect(loading.find('a:once')!.bytes).toEqual(payload());
    loading.forgetUsed();
    expect(keyring.size).toBe(0);
  });

  test('stay when another one has come under the name', () => {
    const keyring = new Keyring();
    keyring.add('a:once', payload(), { once: true });
    const user = keyring.createUser();
    user.find('a:once');
    keyring.add('a:once', Uint8Array.of(9), { once: true });
    user.forgetUsed();
    expect(keyring.find('a:once')!.bytes).toEqual(Uint8Array.of(9));
  });
});
