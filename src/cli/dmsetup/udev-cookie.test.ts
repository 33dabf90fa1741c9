import { describe, expect, it } from 'vitest';
import { flagLines, parseCookie } from './udev-cookie.ts';

// `dmsetup udevflags` and `udevcomplete` 1.02.185.
describe('cookies', () => {
  it('names the flags in the upper half', () => {
    expect(flagLines(0x0d4d_0001)).toEqual([
      "DM_UDEV_DISABLE_DM_RULES_FLAG='1'",
      "DM_UDEV_DISABLE_DISK_RULES_FLAG='1'",
      "DM_UDEV_DISABLE_OTHER_RULES_FLAG='1'",
      "DM_UDEV_PRIMARY_SOURCE_FLAG='1'",
      "DM_SUBSYSTEM_UDEV_FLAG0='1'",
      "DM_SUBSYSTEM_UDEV_FLAG2='1'",
      "DM_SUBSYSTEM_UDEV_FLAG3='1'",
    ]);
    expect(flagLines(1)).toEqual([]);
    expect(flagLines(0xffff_ffff)).toHaveLength(16);
    expect(flagLines(0xffff_ffff)).toContain("DM_UDEV_FLAG7='1'");
  });

  it.each([
    ['4194304', 4_194_304],
    ['0xd4dffff', 0x0d4d_ffff],
    ['0xffffffff', 0xffff_ffff],
    ['010', 8],
  ])('reads %s', (text, cookie) => {
    expect(parseCookie(text)).toBe(cookie);
  });

  it.each(['0', 'abc', '4194304x', '0x1ffffffff', '0x10d4d0001', '', '-1'])(
    'refuses %j',
    (text) => {
      expect(() => parseCookie(text)).toThrow('Incorrect cookie value.');
    },
  );
});
