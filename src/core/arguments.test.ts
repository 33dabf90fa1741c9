import { expect, test } from 'vitest';
import { DmError } from '../base/errors.ts';
import { TestDisks } from '../testing/test-disk.ts';
import { ArgumentReader, quoteArgument, splitArguments } from './arguments.ts';

function reader(text: string): ArgumentReader {
  const disks = new TestDisks();
  return new ArgumentReader(splitArguments(text), (operand) => disks.open(operand).device);
}

test.each([
  ['', []],
  ['  ', []],
  ['a', ['a']],
  [' a\tb \v\f\r\n c ', ['a', 'b', 'c']],
  ['a\\ b c', ['a b', 'c']],
  ['a\\\\ b', ['a\\', 'b']],
  ['a\\bc', ['abc']],
  ['\\ ', [' ']],
  ['a\\', ['a\\']],
  // A no-break space is a letter of a file's name.
  ['a\u00a0b', ['a\u00a0b']],
])('splits %j into %j', (text, words) => {
  expect(splitArguments(text)).toEqual(words);
});

test.each(['a', 'a b', 'a\\b', ' ', '#a', 'a#b', 'a\tb\nc', '\\', 'ä ö'])('quotes %j', (word) => {
  expect(splitArguments(`x ${quoteArgument(word)} y`)).toEqual(['x', word, 'y']);
});

test.each([
  ['0', 0],
  ['007', 7],
  ['\\ 8', 8],
  ['100', 100],
])('reads the number %s', (text, value) => {
  expect(reader(text).integer('n', 'Bad number', { min: 0, max: 100 })).toBe(value);
});

test.each(['', 'x', '8x', '+8', '-8', '0x8', '8.0', '1e1', '101', '8\\ ', '\u0668'])(
  'refuses the number %j',
  (text) => {
    expect(() => reader(text).integer('n', 'Bad number', { min: 0, max: 100 })).toThrow(
      /Bad number: /,
    );
  },
);

test('takes a plus sign where the kernel does', () => {
  const range = { min: 1, max: 9, plus: true };
  expect(reader('+8').integer('n', 'Bad', range)).toBe(8);
  for (const text of ['++8', '+', '\\ 8', '-8', '+0', '+10']) {
    expect(() => reader(text).integer('n', 'Bad', range)).toThrow(/Bad: /);
  }
});

test('sectors end where bytes are no longer exact numbers', () => {
  expect(reader('17592186044415').sectors('offset', 'Bad')).toBe(2 ** 44 - 1);
  expect(() => reader('17592186044416').sectors('offset', 'Bad')).toThrow(
    'Bad: <offset> expected an integer from 0 to 17592186044415, got "17592186044416"',
  );
});

test('says what is missing, what is too much, and what a device said', () => {
  expect(() => reader('').word('device')).toThrow('Invalid argument count: <device> is missing');
  const args = reader('A B');
  expect(args.count).toBe(2);
  expect(args.peek()).toBe('A');
  args.word('device');
  expect(args.remaining).toBe(1);
  expect(() => args.end()).toThrow('Invalid argument count: unexpected "B"');
  expect(() => args.expectCount(false, 'Words')).toThrow(new DmError('EINVAL', 'Words'));
  expect(() => reader('').open('missing')).toThrow(
    expect.objectContaining({
      code: 'ENOENT',
      message: expect.stringContaining('Device lookup failed: ') as string,
    }) as Error,
  );
  expect(() => reader('').open('missing', 'No', 'EINVAL')).toThrow(
    expect.objectContaining({
      code: 'EINVAL',
      message: expect.stringContaining('No: ') as string,
    }) as Error,
  );
});
