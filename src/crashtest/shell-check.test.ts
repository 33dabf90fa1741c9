import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MarkPipe } from './mark-pipe.ts';
import { ShellCheck } from './shell-check.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-crashtest-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function checkOf(command: string, timeoutMs = 10_000): ShellCheck {
  const environment = { ...process.env, DEVMAPPER_NBD: 'nbd://here' };
  return new ShellCheck({ command, environment, outputPath: join(folder, 'output'), timeoutMs });
}

const STATE = { mark: 'it is "7"', word: '3:all' };

test('a check sees the state, and its exit status is the verdict', async () => {
  using check = checkOf(
    'echo "$DEVMAPPER_NBD, $(printenv DEVMAPPER_MARK || echo none), $DEVMAPPER_STATE"; echo more >&2; exit 3',
  );
  const output = 'nbd://here, it is "7", 3:all\nmore\n(exit status 3)';
  expect(await check.look(STATE)).toEqual({ isGood: false, output });
  const unmarked = await check.look({ mark: null, word: '1:none' });
  expect(unmarked?.output).toMatch(/^nbd:\/\/here, none, 1:none\nmore/);
  using good = checkOf('cat; echo fine');
  for (let round = 0; round < 3; round += 1) {
    expect(await good.look(STATE)).toEqual({ isGood: true, output: '' });
  }
});

test('a name that no environment has room for is left out, and a mark is one line', async () => {
  using check = checkOf('[ -z "$DEVMAPPER_STATE" ] && [ "$DEVMAPPER_MARK" = "a b" ]');
  const word = `9:${'1,'.repeat(100_000)}1`;
  expect(await check.look({ mark: 'a\nb', word })).toMatchObject({ isGood: true });
});

test('a check that hangs has failed, and the next state gets another shell', async () => {
  using check = checkOf('[ "$DEVMAPPER_STATE" = good ] || { echo waiting; sleep 100; }', 300);
  expect(await check.look(STATE)).toEqual({
    isGood: false,
    output: 'waiting\nThe check did not end within 0.3 s',
  });
  expect(await check.look({ mark: null, word: 'good' })).toMatchObject({ isGood: true });
});

test('a check that is interrupted says nothing, and nothing of it stays', async () => {
  const interrupt = new AbortController();
  using check = new ShellCheck({
    command: 'sleep 100 & echo $!; wait',
    environment: process.env,
    outputPath: join(folder, 'interrupted'),
    timeoutMs: 60_000,
    signal: interrupt.signal,
  });
  const looking = check.look(STATE);
  const pid = async () =>
    Number(await readFile(join(folder, 'interrupted'), 'utf8').catch(() => ''));
  await vi.waitFor(async () => expect(await pid()).toBeGreaterThan(0));
  interrupt.abort();
  expect(await looking).toBeNull();
  const sleeper = await pid();
  const commandLine = () => readFile(`/proc/${sleeper}/cmdline`, 'utf8').catch(() => '');
  await vi.waitFor(async () => expect(await commandLine()).toBe('')); // Of a zombie too.
  expect(await check.look(STATE)).toBeNull();
});

test('nobody waits for a check that is closed', async () => {
  const check = checkOf('sleep 100', 100_000);
  const looking = check.look(STATE);
  check[Symbol.dispose]();
  expect(await looking).toBeNull();
  expect(await check.look(STATE)).toBeNull();
});

test('a check that cannot be run says so', async () => {
  using check = checkOf('nonesuch-program');
  await expect(check.look(STATE)).rejects.toThrow(/Cannot run the check.*nonesuch-program/);
  using killer = checkOf('kill -9 $$');
  await expect(killer.look(STATE)).rejects.toThrow(/its shell ended with SIGKILL/);
});

test('lines of the pipe are marks, whole lines only, when they are asked for', () => {
  const marks: string[] = [];
  using pipe = new MarkPipe(join(folder, 'marks'), (text) => marks.push(text));
  pipe.drain();
  expect(marks).toEqual([]);
  writeFileSync(pipe.path, 'one\ntwo thr');
  pipe.drain();
  expect(marks).toEqual(['one']);
  writeFileSync(pipe.path, 'ee\n\n');
  pipe.drain();
  expect(marks).toEqual(['one', 'two three', '']);
});
