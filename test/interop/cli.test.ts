/** What `bin/devmapper` says: refusals with status and advice, lists, help. */

import { describe, expect, test } from 'vitest';
import { run, succeed } from './serve-process.ts';

describe('refusals', () => {
  const refused: [string, string[], number, RegExp[]][] = [
    ['nothing', ['serve'], 2, [/Nothing to serve/, /devmapper serve a\.img b\.img/]],
    ['an unknown command', ['serv'], 2, [/unknown command 'serv'.*Did you mean serve/]],
    ['an unknown option', ['serve', '--tabel', 'x'], 2, [/unknown option '--tabel'/]],
    ['a bad number', ['serve', '--spin', 'x', 'mem:1M'], 2, [/spin.*'x' is invalid/]],
    ['a bad address', ['serve', '--listen', 'a:b', 'mem:1M'], 2, [/expected HOST:PORT/]],
    ['an image that is not there', ['serve', '/no/a.img'], 1, [/\/no\/a\.img/, /--table TABLE/]],
    ['a directory', ['serve', '/tmp'], 1, [/Cannot join \/tmp: .*directory/]],
    ['no row, no file', ['serve', '--table', 'linear'], 2, [/neither a row nor a file/]],
    [
      'bad arguments',
      ['serve', '--table', '0 8 zero\n8 8 linear mem:1M x'],
      1,
      [
        /Cannot create disk: linear: Invalid device sector/,
        /line 2: 8 8 linear mem:1M x/,
        /takes: <device> <offset>/,
      ],
    ],
    ['a gap', ['serve', '--table', '0 8 zero\n9 8 zero'], 1, [/[Gg]ap in table/, /line 2/]],
    [
      'an unknown target',
      ['serve', '--table', '0 8 lineer x'],
      1,
      [/unknown target type/, /devmapper targets/],
    ],
    ['a row that is none', ['serve', '--table', '0 8 zero\nx'], 1, [/line 2 of table/]],
    ['a device that is not there', ['serve', '--table', '0 8 linear mapper/x 0'], 1, [/named "x"/]],
    ['itself', ['serve', 'x', '--table', '0 8 linear mapper/x 0'], 1, [/cannot stand on itself/]],
    ['a bad name', ['serve', 'a/b', '--table', '0 8 zero'], 1, [/contains "\/"/]],
    ['one that is too small', ['serve', '--table', '0 4096 linear mem:1M 0'], 1, [/too small/]],
  ];
  test.each(refused)('%s', async (_what, words, status, messages) => {
    const result = await run('devmapper', ...words);
    expect(result.stderr).toMatch(/^devmapper: /);
    for (const message of messages) expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    expect(result).toMatchObject({ status, stdout: '' });
  });
});

describe('devmapper', () => {
  test('targets prints what dmsetup prints', async () => {
    const lines = (await succeed('devmapper', 'targets')).trim().split('\n');
    expect(lines).toContain('striped          v1.7.0');
    const verbose = await succeed('devmapper', 'targets', '-v');
    expect(verbose).toContain('<start> <length> linear <device> <offset>');
    const { targets } = JSON.parse(await succeed('devmapper', 'targets', '--json')) as {
      targets: { name: string; version: string }[];
    };
    expect(targets.map(({ name, version }) => `${name.padEnd(16)} v${version}`)).toEqual(lines);
  });

  test('has help with examples everywhere, and a version', async () => {
    for (const words of [
      ['--help'],
      ['serve', '--help'],
      ['targets', '--help'],
      ['help', 'serve'],
    ]) {
      expect(await succeed('devmapper', ...words)).toContain('Examples:');
    }
    expect(await succeed('devmapper', '--version')).toMatch(/^devmapper \d+\.\d+\.\d+\n$/);
    expect((await run('devmapper')).status).toBe(2);
  });
});
