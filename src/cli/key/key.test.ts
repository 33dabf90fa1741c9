/** What `devmapper key add` refuses before it asks a daemon. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { addKey } from './key.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-key-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(lengthBytes: number): string {
  const path = join(folder, `${lengthBytes}`);
  writeFileSync(path, Buffer.alloc(lengthBytes, 'k'));
  return path;
}

test.each(['app', ':x', 'app:', 'app:two words', 'a:b\n'])(
  'the description %j is refused before a key is read',
  async (description) => {
    const refused = addKey(description, { keyFile: join(folder, 'nosuch') });
    await expect(refused).rejects.toThrow(/expected "PREFIX:NAME" without white space/);
  },
);

test.each([
  ['two keys', { keyFile: 'a', fd: '3' }, /--key-file and --fd name two keys/],
  ['no number', { fd: 'x' }, /--fd expected a number, got "x"/],
  ['a negative number', { fd: '-1' }, /--fd expected a number/],
  ['no file', { keyFile: join(folder, 'nosuch') }, /Failed to open key file/],
  ['a folder', { keyFile: folder }, /Failed to open key file/],
  ['nothing', { keyFile: fileOf(0) }, /expected 1 to 4096 bytes, got none/],
  ['too much', { keyFile: fileOf(4097) }, /expected 1 to 4096 bytes, got 4097/],
])('%s is refused', async (_, source, message) => {
  const refused = addKey('test:a', source);
  await expect(refused).rejects.toThrow(message);
  await expect(refused).rejects.not.toThrow(/kkk/);
});
