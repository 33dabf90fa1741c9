import { describe, expect, test } from 'vitest';
import { rewriteDevices, rewriteMisc, rewriteMounts, rewritePartitions } from './proc-tables.ts';

describe('/proc/devices', () => {
  test('gets our major number among the block devices', () => {
    const text = 'Character devices:\n  1 mem\n 10 misc\n\nBlock devices:\n  7 loop\n259 blkext\n';
    expect(rewriteDevices(text, 252)).toBe(
      'Character devices:\n  1 mem\n 10 misc\n\nBlock devices:\n252 device-mapper\n  7 loop\n259 blkext\n',
    );
  });

  test("loses the host's device mapper", () => {
    const text = 'Character devices:\n\nBlock devices:\n253 device-mapper\n';
    expect(rewriteDevices(text, 252)).toBe(
      'Character devices:\n\nBlock devices:\n252 device-mapper\n',
    );
  });
});

test('/proc/misc gets the control node, once', () => {
  expect(rewriteMisc('237 loop-control\n')).toBe('236 device-mapper\n237 loop-control\n');
  expect(rewriteMisc('236 device-mapper\n')).toBe('236 device-mapper\n');
});

test('/proc/partitions gets sizes in KiB', () => {
  const heading = 'major minor  #blocks  name\n\n';
  const devices = [
    { name: 'disk', minor: 3, sizeSectors: 131072 },
    { name: 'empty', minor: 4, sizeSectors: 0 },
  ];
  const row = ' 252        3      65536 dm-3\n';
  expect(rewritePartitions('', 252, devices)).toBe(heading + row);
  const host = `${heading}   7        0      65536 loop0\n`;
  expect(rewritePartitions(host, 252, devices)).toBe(host + row);
});

describe('mount tables', () => {
  const device = { minor: 5, source: '/dev/mapper/a\\x20b' };
  const behind = (loop: number) => (loop === 3 ? device : undefined);

  test.each([
    ['/dev/loop3 /mnt ext4 rw 0 0\n', '/dev/mapper/a\\134x20b /mnt ext4 rw 0 0\n'],
    [
      '61 28 7:3 / /mnt rw,relatime - ext4 /dev/loop3 rw\n',
      '61 28 252:5 / /mnt rw,relatime - ext4 /dev/mapper/a\\134x20b rw\n',
    ],
  ])('our loop device becomes the mapped device: %s', (before, after) => {
    expect(rewriteMounts(before, 252, behind)).toBe(after);
  });

  test('a source with white space is written as a kernel does', () => {
    const text = rewriteMounts('/dev/loop3 /mnt ext4 rw 0 0\n', 252, () => ({
      minor: 5,
      source: '/tmp/my dir/x',
    }));
    expect(text).toBe('/tmp/my\\040dir/x /mnt ext4 rw 0 0\n');
  });

  test.each([
    '/dev/loop30 /mnt ext4 rw 0 0\n',
    '/dev/loop4 /mnt ext4 rw 0 0\n61 28 7:4 / /mnt rw - ext4 /dev/loop4 rw\n',
    'tmpfs /dev/loop3x tmpfs rw 0 0\n',
    '/dev/vda / ext4 rw 0 0\n',
  ])('the rest stays: %s', (text) => {
    expect(rewriteMounts(text, 252, behind)).toBe(text);
  });
});
