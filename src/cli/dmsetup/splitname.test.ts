import { describe, expect, it } from 'vitest';
import { splitLvmName } from './splitname.ts';

// `dmsetup splitname` 1.02.185.
describe('splitLvmName', () => {
  it.each([
    ['vg-lv', ['vg', 'lv', '']],
    ['vg--a-lv--b-real', ['vg-a', 'lv-b', 'real']],
    ['nodash', ['nodash', '', '']],
    ['vg-lv-l-m', ['vg', 'lv', 'l']],
    ['a-', ['a-', '', '']],
    ['-a', ['', 'a', '']],
    ['a---b-c---', ['a-', 'b', 'c--']],
    ['vg-lv_tmeta', ['vg', 'lv_tmeta', '']],
    ['', ['', '', '']],
  ])('%s', (name, [vgName, lvName, lvLayer]) => {
    expect(splitLvmName(name)).toEqual({ vgName, lvName, lvLayer });
  });
});
