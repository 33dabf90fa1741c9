import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findFreeMajor } from './free-major.ts';

test.each([
  ['Character devices:\n252 x\n\nBlock devices:\n  7 loop\n253 zram\n', 252],
  ['Character devices:\n  1 mem\n\nBlock devices:\n252 device-mapper\n254 virtblk\n', 253],
  ['Block devices:\n252 a\n253 b\n254 c\n259 blkext\n', 255],
  ['', 252],
])('%j', (text, major) => {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-major-'));
  const path = join(folder, 'devices');
  writeFileSync(path, text);
  expect(findFreeMajor(path)).toBe(major);
  rmSync(folder, { recursive: true });
  expect(findFreeMajor(path)).toBe(252);
});
