import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AssertionError } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { TransferFlag } from './file-calls.ts';
import { loadSystem, type System } from './index.ts';
import { IoVector } from './io-vector.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import { FileSystemMagic } from './space-calls.ts';

const system = loadSystem();
if (system) {
  describe.each([...new Set([tmpdir(), '/dev/shm'])].filter((folder) => existsSync(folder)))(
    'file calls in %s',
    (folder) => fileTests(system, folder),
  );
} else {
  it('has no file calls without koffi', () => expect(system).toBeNull());
}

const GIB = 2 ** 30;

function fileTests({ files, space }: System, parent: string): void {
  const folder = mkdtempSync(join(parent, 'devmapper-files-'));
  const fd = openSync(join(folder, 'image'), 'w+');
  ftruncateSync(fd, 10 * GIB);
  const buffer = PinnedBuffer.allocate(1 << 16);
  const { none, noWait, dataSync } = TransferFlag;

  afterAll(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });

  function put(text: string): number {
    return new TextEncoder().encodeInto(text, buffer.bytes).written;
  }

  function text(offsetBytes: number, lengthBytes: number): string {
    return Buffer.from(buffer.bytes.subarray(offsetBytes, offsetBytes + lengthBytes)).toString();
  }

  it.each([0, 2 * GIB - 2, 4 * GIB - 2, 4 * GIB + 12345, 10 * GIB - 5])(
    'reads what it wrote at byte %s',
    (positionBytes) => {
      const word = String(positionBytes % 100_000).padStart(5, '-');
      expect(files.write(fd, buffer, 0, put(word), positionBytes, none)).toBe(5);
      expect(files.read(fd, buffer, 100, 5, positionBytes, none)).toBe(5);
      expect(text(100, 5)).toBe(word);
    },
  );

  it('answers a short count and 0 at the end of the file', () => {
    expect(files.read(fd, buffer, 0, 100, 10 * GIB - 5, none)).toBe(5);
    expect(files.read(fd, buffer, 0, 100, 10 * GIB, none)).toBe(0);
    expect(files.read(fd, buffer, 0, 100, 2 ** 53 - 1, none)).toBeLessThanOrEqual(0);
  });

  it('gathers and scatters beyond 4 GiB', () => {
    const vector = new IoVector();
    put('abcdefgh');
    vector.append(buffer, 4, 4);
    vector.append(buffer, 0, 2);
    expect(files.writeVector(fd, vector, 5 * GIB + 1, none)).toBe(6);
    vector.clear();
    vector.append(buffer, 200, 1);
    vector.append(buffer, 300, 5);
    expect(files.readVector(fd, vector, 5 * GIB + 1, none)).toBe(6);
    expect(text(200, 1) + text(300, 5)).toBe('efghab');
  });

  it('writes through to the disk', () => {
    expect(files.write(fd, buffer, 0, put('durable'), 4096, dataSync)).toBe(7);
    expect(files.syncData(fd)).toBe(0);
    expect(files.read(fd, buffer, 50, 7, 4096, none)).toBe(7);
    expect(text(50, 7)).toBe('durable');
  });

  it('reads cached bytes without waiting, or says that it cannot', () => {
    files.write(fd, buffer, 0, put('cached'), 8192, none);
    const count = files.read(fd, buffer, 20, 6, 8192, noWait);
    if (space.fileSystemMagic(fd) === FileSystemMagic.ext4) expect(count).toBe(6);
    else expect([6, -Errno.ENOTSUP, -Errno.EAGAIN]).toContain(count);
    if (count === 6) expect(text(20, 6)).toBe('cached');
  });

  it('answers the errno of the call', () => {
    const readOnly = openSync(join(folder, 'image'), 'r');
    expect(files.write(readOnly, buffer, 0, 1, 0, none)).toBe(-Errno.EBADF);
    expect(files.read(fd, buffer, 0, 1, 0, 0x4000_0000)).toBe(-Errno.ENOTSUP);
    closeSync(readOnly);
    expect(files.read(readOnly, buffer, 0, 1, 0, none)).toBe(-Errno.EBADF);
  });

  it('refuses what is outside the buffer and odd positions', () => {
    const { lengthBytes } = buffer;
    expect(() => files.read(fd, buffer, 1, lengthBytes, 0, none)).toThrow(AssertionError);
    expect(() => files.read(fd, buffer, 1, lengthBytes, 0, noWait)).toThrow(AssertionError);
    expect(() => files.read(fd, buffer, 0, 1, -1, none)).toThrow(AssertionError);
    expect(() => files.read(fd, buffer, 0, 1, 0.5, noWait)).toThrow(AssertionError);
    expect(() => files.write(fd, buffer, 0, 1, 2 ** 53, none)).toThrow(AssertionError);
    expect(() => files.syncData(-1)).toThrow(AssertionError);
  });
}
