import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readMarker, writeMarker } from './marker.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-marker-'));
const path = join(folder, 'node');
const read = () => readMarker(path, statSync(path));

afterAll(() => rmSync(folder, { recursive: true }));

test('a marker says which block device it stands for', () => {
  writeMarker(path, 'b', { major: 252, minor: 1048575 });
  expect(read()).toEqual({ major: 252, minor: 1048575 });
  writeMarker(path, 'b', { major: 252, minor: 0 });
  expect(read()).toEqual({ major: 252, minor: 0 });
});

test('a file is only a marker with mode, size and text', () => {
  writeMarker(path, 'c', { major: 10, minor: 236 });
  expect(read()).toBeNull();
  writeMarker(path, 'b', { major: 252, minor: 7 });
  chmodSync(path, 0o660);
  expect(read()).toBeNull();
  writeFileSync(path, 'devmapper node b 252:7\n');
  chmodSync(path, 0o5660);
  expect(read()).toBeNull();
});
