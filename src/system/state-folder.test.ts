import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeStateFolder, statePaths } from './state-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'devmapper-state-folder-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function makeIn(name: string) {
  return () => makeStateFolder(statePaths(join(root, name)));
}

test('a folder and those above it are made for their owner alone', () => {
  makeIn('deep/er')();
  expect(statSync(join(root, 'deep/er')).mode & 0o777).toBe(0o700);
  expect(makeIn('deep/er')).not.toThrow();
});

test.each([0o770, 0o702, 0o1777])('one that others may write to (mode %o) is refused', (mode) => {
  const folder = join(root, `mode-${mode}`);
  mkdirSync(folder);
  chmodSync(folder, mode);
  expect(makeIn(`mode-${mode}`)).toThrow(/others may write to it \(mode .*chmod 700/);
});

test('one that others may read is taken', () => {
  mkdirSync(join(root, 'read'), { mode: 0o755 });
  expect(makeIn('read')).not.toThrow();
});

test('one of another user is refused', () => {
  const isRoot = process.getuid?.() === 0;
  const theirs = isRoot ? join(root, 'theirs') : '/usr';
  if (isRoot) {
    mkdirSync(theirs, { mode: 0o700 });
    chownSync(theirs, 12345, 12345);
  }
  expect(() => makeStateFolder(statePaths(theirs))).toThrow(
    /it belongs to user \d+, expected user/,
  );
});

test('a place where no folder can be is told in words', () => {
  writeFileSync(join(root, 'file'), '');
  expect(makeIn('file')).toThrow('something else is there');
  expect(makeIn('file/below')).toThrow('something else is there');
});

test('below /proc it fails, and does not try for ever', () => {
  const make = () => makeStateFolder(statePaths('/proc/nothing/here'));
  expect(make).toThrow('Cannot make the state folder /proc/nothing/here: ');
});
