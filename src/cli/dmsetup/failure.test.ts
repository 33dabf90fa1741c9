import { describe, expect, it } from 'vitest';
import { DmError } from '../../base/errors.ts';
import { ioctlLines, request } from './failure.ts';

const refused = new DmError('EINVAL', 'nosuch: unknown target type');

describe('ioctlLines', () => {
  it.each([
    [{ name: 'lin' }, 'device-mapper: reload ioctl on lin  failed: Invalid argument'],
    [
      { name: 'bad', number: { major: 254, minor: 1 } },
      'device-mapper: reload ioctl on bad (254:1) failed: Invalid argument',
    ],
    [{ uuid: 'U' }, 'device-mapper: reload ioctl on  U failed: Invalid argument'],
    [{ name: 'lin2', uuid: 'T' }, 'device-mapper: reload ioctl on lin2 T failed: Invalid argument'],
    [
      { number: { major: 254, minor: 0 } },
      'device-mapper: reload ioctl on  (254:0) failed: Invalid argument',
    ],
  ])('%j', (device, line) => {
    expect(ioctlLines('reload', device, refused)).toEqual([
      line,
      '  reason: nosuch: unknown target type',
    ]);
  });

  it('has no reason where the mapper knows no more than the errno', () => {
    const error = new DmError('EBUSY', 'Device or resource busy');
    expect(ioctlLines('remove', { name: 'x' }, error)).toHaveLength(1);
  });
});

describe('request', () => {
  it('leaves our own bugs alone', async () => {
    const bug = new TypeError('x is undefined');
    await expect(request('info', {}, () => Promise.reject(bug))).rejects.toBe(bug);
  });
});
