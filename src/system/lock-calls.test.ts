import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AssertionError } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { loadSystem, type System } from './index.ts';

const system = loadSystem();
if (system) describe('lock calls', () => lockTests(system));
else it('has no lock calls without koffi', () => expect(system).toBeNull());

function lockTests({ locks, descriptors }: System): void {
  let folder = '';
  let first = -1;
  let second = -1;
  const far = 5 * 2 ** 30;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'devmapper-locks-'));
    writeFileSync(join(folder, 'image'), '');
    first = openSync(join(folder, 'image'), 'r+');
    second = openSync(join(folder, 'image'), 'r+');
  });
  afterEach(() => {
    closeSync(first);
    closeSync(second);
    rmSync(folder, { recursive: true });
  });

  it('locks a whole file for one, or for several readers, beside the locks on ranges', () => {
    expect(locks.lockRange(first, { startBytes: 0, lengthBytes: 0, exclusive: true })).toBe(0);
    expect(locks.lockFile(first, false)).toBe(0);
    expect(locks.lockFile(second, false)).toBe(0);
    expect(locks.lockFile(second, true)).toBe(-Errno.EAGAIN);
    closeSync(first);
    expect(locks.lockFile(second, true)).toBe(0);
    first = openSync(join(folder, 'image'), 'r');
    expect(locks.lockFile(first, false)).toBe(-Errno.EAGAIN);
  });

  it('keeps the second open file of one process out', () => {
    const range = { startBytes: far, lengthBytes: 10, exclusive: true };
    expect(locks.lockRange(first, range)).toBe(0);
    expect(locks.lockRange(first, range)).toBe(0);
    expect(locks.lockRange(second, range)).toBe(-Errno.EAGAIN);
    expect(locks.lockRange(second, { ...range, exclusive: false })).toBe(-Errno.EAGAIN);
    expect(locks.testRange(second, range)).toBe(2);
    expect(locks.testRange(first, range)).toBe(0);
    expect(locks.unlockRange(first, range)).toBe(0);
    expect(locks.lockRange(second, range)).toBe(0);
  });

  it('lets shared locks and other bytes pass', () => {
    const range = { startBytes: far, lengthBytes: 10 };
    expect(locks.lockRange(first, { ...range, exclusive: false })).toBe(0);
    expect(locks.lockRange(second, { ...range, exclusive: false })).toBe(0);
    expect(locks.testRange(second, { ...range, exclusive: true })).toBe(1);
    const next = { startBytes: far + 10, lengthBytes: 0, exclusive: true };
    expect(locks.lockRange(first, next)).toBe(0);
    expect(locks.testRange(second, { ...next, startBytes: 2 ** 52, lengthBytes: 1 })).toBe(2);
    expect(locks.testRange(second, { startBytes: 0, lengthBytes: far, exclusive: true })).toBe(0);
  });

  it('holds until the last descriptor of the open file is closed', () => {
    const range = { startBytes: 0, lengthBytes: 1, exclusive: true };
    const copy = descriptors.duplicate(first);
    expect(locks.lockRange(first, range)).toBe(0);
    descriptors.close(copy);
    expect(locks.testRange(second, range)).toBe(2);
    closeSync(first);
    expect(locks.testRange(second, range)).toBe(0);
    first = openSync(join(folder, 'image'), 'r');
    expect(locks.lockRange(first, range)).toBe(-Errno.EBADF);
  });

  it('refuses wrong arguments', () => {
    const range = { startBytes: 0, lengthBytes: 1, exclusive: true };
    expect(() => locks.lockRange(-1, range)).toThrow(AssertionError);
    expect(() => locks.lockRange(first, { ...range, startBytes: -1 })).toThrow(AssertionError);
    expect(() => locks.lockRange(first, { ...range, lengthBytes: 0.5 })).toThrow(AssertionError);
  });
}
