import { describe, expect, test } from 'vitest';
import { parseSize } from './size-text.ts';
import { readWords } from './words.ts';

describe('words', () => {
  test('options stand anywhere, in every form', () => {
    const words = ['-q', 'disk.img', '--key-slot=3', '-S1', '--header', 'h', '-s', '256', 'name'];
    expect(readWords(words)).toEqual({
      operands: ['disk.img', 'name'],
      options: { 'batch-mode': true, 'key-slot': 1, header: 'h', 'key-size': 256 },
      given: ['batch-mode', 'key-slot', 'key-slot', 'header', 'key-size'],
    });
  });

  test('old names mean the new ones', () => {
    const { options } = readWords(['--master-key-file', 'k', '-N', '--dump-master-key']);
    expect(options).toEqual({ 'volume-key-file': 'k', encrypt: true, 'dump-volume-key': true });
  });

  test('sizes have suffixes', () => {
    expect(readWords(['--reduce-device-size', '32M']).options).toEqual({
      'reduce-device-size': 32 * 1024 * 1024,
    });
  });

  test.each([
    [['--bogus'], "unknown option '--bogus'"],
    [['--key-slot', 'x'], '--key-slot expects a whole number, got "x"'],
    [['--key-slot'], "option '--key-slot' requires an argument"],
    [['--hotzone-size', '1Q'], '--hotzone-size: expected a size in bytes'],
  ])('%j is refused', (words, message) => {
    expect(() => readWords(words)).toThrow(message);
    expect(() => readWords(words)).toThrow(expect.objectContaining({ status: 1 }));
  });
});

test.each([
  ['0', 0],
  ['512', 512],
  ['8s', 4096],
  ['4k', 4096],
  ['4KiB', 4096],
  ['4KB', 4000],
  ['1G', 2 ** 30],
])('the size %s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', 'M', '-1', '1.5M', '1MM', '1Mi', '99999999999T'])('"%s" is no size', (text) => {
  expect(() => parseSize(text)).toThrow('expected a size in bytes');
});
