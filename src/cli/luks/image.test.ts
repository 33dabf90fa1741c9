/** What is said of images that cannot be opened or mapped: cryptsetup's words and statuses, then where and what to do. */

import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DmError } from '../../base/errors.ts';
import { mapFailure, openFailure } from './image.ts';

describe('an image that cannot be opened', () => {
  test('is not there', async () => {
    const failure = await openFailure(new DmError('ENOENT', 'Cannot open "no.img"'), 'no.img');
    expect(failure).toMatchObject({
      message: 'Device no.img does not exist or access denied.',
      status: 4,
      details: [`no such file: ${resolve('no.img')}`, expect.stringContaining('luks format')],
    });
  });
});

describe('an image that cannot be mapped', () => {
  test.each([
    ['EBUSY', 'Cannot use device a.img which is in use.', 5],
    ['EAGAIN', 'Cannot use device a.img which is in use.', 5],
    ['EACCES', 'Cannot write to device a.img, permission denied.', 2],
    ['EROFS', 'Cannot write to device a.img, permission denied.', 2],
  ] as const)('%s', (code, message, status) => {
    const failure = mapFailure(new DmError(code, 'why'), 'a.img');
    expect(failure).toMatchObject({ message, status, details: expect.arrayContaining(['why']) });
  });

  test('for another reason says just that', () => {
    const failure = new DmError('EINVAL', 'crypt: no');
    expect(mapFailure(failure, 'a.img')).toBe(failure);
  });
});
