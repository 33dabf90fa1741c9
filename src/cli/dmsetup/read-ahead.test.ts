import { expect, test } from 'vitest';
import { parseReadAhead } from './read-ahead.ts';

test.each([
  [undefined, null],
  ['auto', null],
  ['none', { sectors: 0, minimum: false }],
  ['0', { sectors: 0, minimum: false }],
  ['nonsense', { sectors: 0, minimum: false }],
  ['7', { sectors: 8, minimum: false }],
  ['100', { sectors: 100, minimum: false }],
  ['+512', { sectors: 512, minimum: true }],
])('--readahead %s', (text, wanted) => {
  expect(parseReadAhead(text)).toEqual(wanted);
});
