import { expect, test } from 'vitest';
import { lockOfInode } from './devices-command.ts';

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
