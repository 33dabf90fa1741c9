import { expect, test } from 'vitest';
import { lockOfInode } from './devices-command.ts';
import { printable, shownName } from './dmsetup/mangle.ts';

const locks = `1: OFDLCK ADVISORY  READ -1 08:01:77 100 101
2: OFDLCK ADVISORY  READ -1 08:01:77 201 201
3: OFDLCK ADVISORY  READ -1 08:01:78 100 100
4: POSIX  ADVISORY  WRITE 12 08:01:79 0 EOF
4: -> POSIX  ADVISORY  WRITE 13 08:01:79 0 EOF
5: FLOCK  ADVISORY  WRITE 12 08:01:80 7 8
`;

test.each([
  [77, 'exclusive'],
  [78, 'shared'],
  [79, 'exclusive'],
  [80, 'none'],
  [7, 'none'],
])('the lock on inode %i is %s', (inode, lock) => {
  expect(lockOfInode(locks, inode)).toBe(lock);
});

test.each([
  ['plain', 'plain'],
  ['a\\x20b', 'a b'],
  ['a b', 'a b'],
  ['\u001b[31m', '?[31m'],
  ['a\\x5cx20b', 'a\\x5cx20b'],
])('one odd name does not keep a list from the others: %j', (name, shown) => {
  expect(printable(shownName(name))).toBe(shown);
});
