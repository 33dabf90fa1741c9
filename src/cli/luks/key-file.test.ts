import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { MAX_KEY_BYTES, readKey, readKeyFile } from './key-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-key-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string | Uint8Array): string {
  const path = join(folder, 'key');
  writeFileSync(path, content);
  return path;
}

async function text(path: string, range = {}): Promise<string> {
  using key = await readKeyFile(path, range);
  return Buffer.from(key.bytes).toString('latin1');
}

describe('a key file', () => {
  test('is taken as it is, newlines and all', async () => {
    expect(await text(file('one\ntwo\n'))).toBe('one\ntwo\n');
    expect(await text(file(''))).toBe('');
  });

  test('may begin and end elsewhere', async () => {
    expect(await text(file('0123456789'), { offsetBytes: 2 })).toBe('23456789');
    expect(await text(file('0123456789'), { offsetBytes: 2, sizeBytes: 3 })).toBe('234');
    expect(await text(file('0123456789'), { offsetBytes: 10 })).toBe('');
  });

  test('must have what was asked for', async () => {
    await expect(text(file('0123'), { sizeBytes: 5 })).rejects.toMatchObject({
      message: 'Cannot read requested amount of data.',
      status: 1,
    });
    await expect(text(file('0123'), { offsetBytes: 5 })).rejects.toMatchObject({
      message: 'Cannot seek to requested keyfile offset.',
    });
  });

  test('has at most 8 MiB, unless more is asked for', async () => {
    const path = file(new Uint8Array(MAX_KEY_BYTES + 1).fill(7));
    await expect(text(path)).rejects.toThrow('Maximum keyfile size exceeded.');
    expect(await text(path, { sizeBytes: MAX_KEY_BYTES + 1 })).toHaveLength(MAX_KEY_BYTES + 1);
    expect(await text(path, { offsetBytes: 1 })).toHaveLength(MAX_KEY_BYTES);
  });

  test('that is not there, or a folder, says so', async () => {
    await expect(text(join(folder, 'none'))).rejects.toMatchObject({
      message: 'Failed to open key file.',
      details: [expect.stringContaining('ENOENT')],
    });
    await expect(text(folder)).rejects.toThrow('Failed to open key file.');
  });
});

describe('standard input', () => {
  async function lines(content: string, count: number): Promise<string[]> {
    const fd = openSync(file(content), 'r');
    try {
      const read: string[] = [];
      while (read.length < count) {
        using key = await readKey(fd, { name: 'standard input', stopAtNewline: true });
        read.push(Buffer.from(key.bytes).toString());
      }
      return read;
    } finally {
      closeSync(fd);
    }
  }

  test('ends at a newline, and what follows is left for the next', async () => {
    expect(await lines('old\nnew', 2)).toEqual(['old', 'new']);
    expect(await lines('\nnew', 1)).toEqual(['']);
  });

  test('with nothing in it is no passphrase', async () => {
    await expect(lines('', 1)).rejects.toThrow('Nothing to read on input.');
  });
});
