import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../program.ts';
import { againCommand, shellWord } from './again.ts';
import { crashtest } from './crashtest.ts';
import type { CrashtestOptions } from './crashtest-command.ts';
import { Progress, progressLine } from './progress.ts';

/** What the command line gives, without running anything. */
async function parse(...words: string[]): Promise<CrashtestOptions> {
  const program = await createProgram('crashtest');
  const [command] = program.commands;
  command!.action(() => {});
  await program.parseAsync(['crashtest', ...words], { from: 'user' });
  return command!.opts();
}

describe('the words of crashtest', () => {
  test('are numbers where numbers are meant', async () => {
    expect(await parse('--size', '64M', '--budget', '90s', '--timeout', '5')).toMatchObject({
      size: 64 * 2 ** 20,
      budget: { timeMs: 90_000 },
      timeout: 5000,
      seed: 1,
      device: true,
      tear: '512',
    });
    expect(await parse('--budget', '5000', '--seed', 'random')).toMatchObject({
      budget: { stateCount: 5000 },
      seed: 'random',
    });
  });

  test.each([
    [['--size', '100'], /multiple of 512/],
    [['--size', 'big'], /expected a size/],
    [['--budget', '0'], /a number of states, or a time/],
    [['--budget', '5 minutes'], /a number of states, or a time/],
    [['--jobs', '0'], /expected 1 to/],
    [['--seed', '4294967296'], /below 2\^32/],
    [['--tear', '1024'], /Allowed choices/],
  ])('%j is refused', async (words, reason) => {
    await expect(parse(...words)).rejects.toThrow(reason);
  });

  test.each([
    [['--check', 'true', '--size', '1M'], /expected --workload or --log/],
    [['--check', 'true', '--size', '1M', '--workload', 'x', '--log', 'y'], /and not both/],
    [['--check', 'true', '--workload', 'x'], /expected --size or --image/],
    [['--check', 'true', '--workload', 'x', '--size', '1M', '--image', 'y'], /a size of its own/],
    [['--workload', 'x', '--size', '1M'], /expected --check/],
    [['--log', 'x', '--check', 'true', '--setup', 'y'], /--log has none/],
    [['--log', 'x', '--check', 'true', '--save', 'y'], /expected --state/],
    [['--size', '1M', '--workload', 'x', '--state', '1:all'], /expected --log/],
    [
      ['--log', '/nonexistent', '--check', 'true', '--no-device'],
      /the log \/nonexistent: no such file/,
    ],
    [
      ['--size', '1M', '--workload', 'x', '--check', 'true', '--junit', '/nonexistent/j'],
      /Cannot write to \/nonexistent\/j, given with --junit: ENOENT/,
    ],
    [
      ['--image', '/tmp', '--workload', 'x', '--check', 'true', '--no-device'],
      /expected a file with/,
    ],
  ])('%j cannot be run: status 2', async (words, message) => {
    const failure = crashtest(await parse(...words));
    await expect(failure).rejects.toMatchObject({
      status: 2,
      message: expect.stringMatching(message),
    });
  });
});

test('the workflow for GitHub says what the command understands', async () => {
  const path = new URL('../../../contrib/crash-testing/github-actions.yml', import.meta.url);
  const text = readFileSync(path, 'utf8');
  const [command] = (await createProgram('crashtest')).commands;
  const known = command!.options.map(({ long }) => long);
  const runs = text.split('devmapper crashtest').slice(1);
  expect(runs).toHaveLength(2);
  for (const run of runs) {
    const [words = ''] = run.split(/^ +- /m);
    for (const [option] of words.matchAll(/--[a-z-]+/g)) expect(known).toContain(option);
  }
});

test('the command that brings a state back is one for the shell', async () => {
  const options = await parse('--size', '1M', '--check', `./check "it's"`, '--no-device');
  expect(againCommand(options, '/tmp/a b.log', '7:0,2@0-3+6')).toBe(
    `devmapper crashtest --log '/tmp/a b.log' --size 1048576 --no-device --check './check "it'\\''s"' --state 7:0,2@0-3+6`,
  );
  expect(shellWord('')).toBe("''");
});

describe('progress', () => {
  const now = { phase: 'search', stateCount: 500, failureCount: 0, elapsedMs: 2000 } as const;

  test('is a bar of what is spent sooner', () => {
    expect(progressLine(now, { stateCount: 1000 })).toBe(
      '[############------------] 500 states, 250/s, 0 bad',
    );
    expect(progressLine(now, { timeMs: 8000 })).toMatch(/^\[######-/);
    expect(progressLine({ ...now, phase: 'shrink', failureCount: 1 }, {})).toMatch(
      /^\[-{24}\] 500 states, 250\/s, 1 bad, making the bad state smaller$/,
    );
  });

  test('is drawn over on a terminal, and rare elsewhere', () => {
    const texts: string[] = [];
    const write = (text: string) => texts.push(text);
    const onTerminal = new Progress({ write, isTerminal: true }, {});
    onTerminal.report(now);
    onTerminal.report({ ...now, elapsedMs: 2050 });
    onTerminal.end();
    expect(texts).toEqual([expect.stringContaining('250/s, 0 bad'), '\r\x1b[K']);
    texts.length = 0;
    const elsewhere = new Progress({ write, isTerminal: false }, {});
    elsewhere.report(now);
    elsewhere.report({ ...now, elapsedMs: 12_000 });
    elsewhere.end();
    expect(texts).toEqual([expect.stringMatching(/^\[.*bad\n$/)]);
  });
});
