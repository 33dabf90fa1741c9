import { describe, expect, test } from 'vitest';
import { readShownName, readTreeOptions } from './ls-options.ts';

describe('how a device is shown', () => {
  test.each([
    [undefined, 'devno'],
    ['', 'devno'],
    ['blkdevname', 'blkdevname'],
    ['d', 'devno'],
    ['devn', 'devno'],
    ['devna', 'devname'],
    ['devno,b', 'blkdevname'],
    [',devname', 'devname'],
  ])('%s is %s', (words, shown) => {
    expect(readShownName(words)).toBe(shown);
  });

  test.each(['foo', 'devno,foo', 'foo,devno', 'devnoo', ' devno'])('not %j', (words) => {
    expect(() => readShownName(words)).toThrow(/Option not recognised: .*\./);
  });
});

describe('words of a tree', () => {
  const usual = readTreeOptions(undefined, false);
  test.each([
    ['', {}],
    ['utf', { symbols: 'utf' }],
    ['utf,ascii', { symbols: 'ascii' }],
    ['v', { symbols: 'vt100' }],
    ['compact', { compact: true }],
    ['compact,active', { active: true }],
    ['i,notrunc', { inverted: true, truncate: false }],
    ['n', { device: false }],
    ['not', { truncate: false }],
    ['nodevice,device', { device: true }],
    ['a,o,r,u', { active: true, open: true, rw: true, uuid: true }],
    ['asc', { symbols: 'ascii' }],
  ])('%s', (words, changed) => {
    expect(readTreeOptions(words, false)).toEqual({ ...usual, ...changed });
  });

  test('symbols are those of the locale', () => {
    expect(usual.symbols).toBe('ascii');
    expect(readTreeOptions('open', true).symbols).toBe('utf');
  });

  test.each(['foo', 'ascii,foo', 'NOTRUNC', 'activex', 'open, rw', 'devno'])('not %s', (words) => {
    expect(() => readTreeOptions(words, false)).toThrow(/Tree options not recognised/);
  });
});
