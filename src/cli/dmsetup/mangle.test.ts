import { describe, expect, it } from 'vitest';
import { mangle, manglingMode, unmangle } from './mangle.ts';

// What dmsetup 1.02.185 did with each name in a real kernel: `create`, then `ls --manglename none`.
describe('mangle', () => {
  it.each([
    ['lin', 'lin', 'lin'],
    ['a b', 'a\\x20b', 'a\\x20b'],
    ['a\\x20b', 'a\\x20b', 'a\\x5cx20b'],
    ['é', '\\xc3\\xa9', '\\xc3\\xa9'],
    ['\\\\', '\\x5c\\x5c', '\\x5c\\x5c'],
    ['a*b', 'a\\x2ab', 'a\\x2ab'],
    ['m\\xZZ', 'm\\xZZ', 'm\\x5cxZZ'],
    ['#+-.:=@_', '#+-.:=@_', '#+-.:=@_'],
  ])('%s: auto %s, hex %s', (name, auto, hex) => {
    expect(mangle(name, 'name', 'auto')).toBe(auto);
    expect(mangle(name, 'name', 'hex')).toBe(hex);
    expect(mangle(name, 'name', 'none')).toBe(name);
  });

  const mixed =
    "contains mixed mangled and unmangled characters or it's already mangled improperly.";
  it.each([
    ['x y\\x20z', `The name "x y\\x20z" ${mixed}\nFailed to mangle device name "x y\\x20z".`],
    ['m\\x', `The name "m\\x" ${mixed}\nFailed to mangle device name "m\\x".`],
    ['m\\x2a b', `The name "m\\x2a b" ${mixed}`],
    [
      'a\\x5cx20b',
      'The name "a\\x5cx20b" seems to be mangled more than once. This is not allowed in auto mode.',
    ],
    [' '.repeat(60), 'Mangled form of the name too long for'],
  ])('auto refuses %j', (name, text) => {
    expect(() => mangle(name, 'name', 'auto')).toThrow(text);
  });

  it('lets a uuid be one byte longer than a name', () => {
    expect(mangle('u'.repeat(128), 'UUID', 'auto')).toHaveLength(128);
    expect(() => mangle('u'.repeat(129), 'UUID', 'auto')).toThrow('Failed to mangle device uuid');
    expect(() => mangle('n'.repeat(128), 'name', 'auto')).toThrow('too long');
  });
});

describe('unmangle', () => {
  it.each([
    ['a\\x20b', 'a b'],
    ['\\xc3\\xa9', 'é'],
    ['\\x5c\\x5c', '\\\\'],
    ['lin', 'lin'],
  ])('%s is %s', (name, plain) => {
    expect(unmangle(name, 'name', 'auto')).toBe(plain);
    expect(unmangle(name, 'name', 'hex')).toBe(plain);
    expect(unmangle(name, 'name', 'none')).toBe(name);
  });

  it('refuses what nobody mangled, and what was mangled twice', () => {
    const black = 'The name "k 2" should be mangled but it contains blacklisted characters.';
    expect(() => unmangle('k 2', 'name', 'auto')).toThrow(black);
    expect(() => unmangle('k 2', 'name', 'hex')).toThrow(black);
    const twice = 'seems to be mangled more than once';
    expect(() => unmangle('h\\x5cx20i', 'name', 'auto')).toThrow(twice);
    expect(unmangle('h\\x5cx20i', 'name', 'hex')).toBe('h\\x20i');
  });
});

describe('manglingMode', () => {
  it('is the option, else the environment, else auto', () => {
    const environment = { DM_DEFAULT_NAME_MANGLING_MODE: 'hex' };
    expect(manglingMode({ manglename: 'none' }, environment)).toBe('none');
    expect(manglingMode({}, environment)).toBe('hex');
    expect(manglingMode({}, { DM_DEFAULT_NAME_MANGLING_MODE: 'foo' })).toBe('auto');
    expect(manglingMode({}, {})).toBe('auto');
  });
});
