/**
 * `devmapper luks` beside the real cryptsetup: the same lines on twin images end with the same status and say the same, dumps are equal byte for byte, and each opens
 * what the other one made.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requireTools, toolEnvironment } from '../../src/testing/tools.ts';
import { program } from './daemon-rig.ts';
import { type RunResult, temporaryFolder } from './serve-process.ts';

const CHEAP = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
const MIB = 1024 * 1024;

function runIn(cwd: string, command: readonly string[], input: string): Promise<RunResult> {
  const env = { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1' };
  const child = spawn(command[0]!, command.slice(1), { cwd, env });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // Who needs no input may be gone before it is written.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Two folders with the same files; one is cryptsetup's, one ours. */
class Twins implements Disposable {
  readonly #folder = temporaryFolder();
  readonly theirs = join(this.#folder.path, 'theirs');
  readonly ours = join(this.#folder.path, 'ours');

  constructor() {
    for (const folder of [this.theirs, this.ours]) {
      mkdirSync(folder);
      for (const [name, sizeMib] of [
        ['a', 20],
        ['b', 20],
      ] as const) {
        writeFileSync(join(folder, name), '');
        truncateSync(join(folder, name), sizeMib * MIB);
      }
      writeFileSync(join(folder, 'k2'), 'pw2');
      writeFileSync(join(folder, 'newline'), 'pw\n');
    }
  }

  cryptsetup(input: string, ...words: string[]): Promise<RunResult> {
    return runIn(this.theirs, ['cryptsetup', ...words], input);
  }

  devmapper(input: string, ...words: string[]): Promise<RunResult> {
    return runIn(this.ours, [process.execPath, program, 'luks', ...words], input);
  }

  /** Both at once; answers ours. */
  async both(input: string, ...words: string[]): Promise<RunResult> {
    const [theirs, ours] = await Promise.all([
      this.cryptsetup(input, ...words),
      this.devmapper(input, ...words),
    ]);
    const line = words.join(' ');
    expect([line, ours.status, ours.stderr]).toEqual([line, theirs.status, expect.anything()]);
    // Warnings are for people, and ours go where messages go.
    expect(ours.stdout, line).toBe(theirs.stdout.replace(/^WARNING: .*\n+/gm, ''));
    const said = theirs.stderr
      .trim()
      .split('\n')
      .at(-1)!
      .replace(/^cryptsetup: /, '');
    expect(ours.stderr, line).toContain(said.replace(/\.$/, ''));
    return ours;
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

requireTools('cryptsetup')('devmapper luks, beside cryptsetup', () => {
  test.concurrent('opening, key slots', async () => {
    using twins = new Twins();
    const { both } = bound(twins);
    await both('', 'luksFormat', '-q', ...CHEAP, 'a');
    await both('pw\n', 'luksFormat', '-q', ...CHEAP, 'missing');
    await both('pw\n', 'luksFormat', '-q', ...CHEAP, 'a');
    await both('pw\n', 'luksFormat', ...CHEAP, 'a');
    await both('pw', 'open', '--test-passphrase', 'a');
    await both('wrong\n', 'open', '--test-passphrase', 'a');
    await both('pw\n', 'open', '--test-passphrase', 'b');
    await both('pw\n', 'open', '--test-passphrase', 'missing');
    await both('pw\n', 'open', '--test-passphrase', '-S', '5', 'a');
    await both('', 'open', '--test-passphrase', '--key-file', 'newline', 'a');
    await both('pw\nnew\n', 'luksAddKey', ...CHEAP, 'a');
    await both('pw', 'luksAddKey', ...CHEAP, 'a');
    await both('pw', 'luksAddKey', ...CHEAP, 'a', 'k2');
    await both('pw2', 'open', '--test-passphrase', '-S', '2', 'a');
    await both('pw', 'luksAddKey', ...CHEAP, '-S', '0', 'a', 'k2');
    await both('pw', 'luksAddKey', ...CHEAP, '-S', '40', 'a', 'k2');
    await both('wrong', 'luksAddKey', ...CHEAP, 'a', 'k2');
    await both('pw', 'luksAddKey', ...CHEAP, 'a', 'missing');
    await both('pw', 'luksKillSlot', 'a', '9');
    await both('new', 'luksKillSlot', 'a', '1');
    await both('pw2', 'luksKillSlot', 'a', '1');
    await both('pw\nother\n', 'luksChangeKey', ...CHEAP, 'a');
    await both(
      'other',
      'luksConvertKey',
      '--pbkdf',
      'pbkdf2',
      '--pbkdf-force-iterations',
      '2000',
      'a',
    );
    await both('other', 'luksRemoveKey', 'a');
    await both('other', 'luksRemoveKey', 'a');
    await both('', 'erase', '-q', 'a');
    await both('pw', 'open', '--test-passphrase', 'a');
  }, 60_000);

  test.concurrent('what is asked for wrongly', async () => {
    using twins = new Twins();
    const { both } = bound(twins);
    await both('pw', 'luksFormat', '-q', ...CHEAP, '-s', '100', 'b');
    await both('pw', 'luksFormat', '-q', ...CHEAP, '--sector-size', '100', 'b');
    await both('pw', 'luksFormat', '-q', ...CHEAP, '--uuid', '100', 'b');
    await both('pw', 'luksFormat', '-q', ...CHEAP, '-S', '100', 'b');
    await both('pw', 'luksFormat', '-q', '--pbkdf', 'foo', 'b');
    await both('pw', 'luksFormat', '-q', ...CHEAP, '--iter-time', '5', 'b');
    await both('pw', 'luksFormat', '-q', '--offset', '8', '--align-payload', '8', 'b');
    await both('', 'luksFormat', '-q', '--key-file', 'missing', 'b');
    await both('', 'luksFormat', '-q', ...CHEAP, '--key-file', 'k2', '--keyfile-size', '9', 'b');
    await both('', 'luksFormat', '-q', ...CHEAP, '--key-file', 'k2', '--keyfile-offset', '9', 'b');
    await both('', 'isLuks', 'b');
    await both('pw', 'open', '--label', 'x', 'a', 'b');
    await both('', 'luksUUID', 'missing');
    await both('pw', 'luksFormat', '-q', '--type', 'luks1', ...CHEAP, 'b');
    await both('', 'config', '--label', 'x', 'b');
    await both('', 'config', 'b');
    await both('', 'convert', 'b');
    await both('', 'isLuks', '--type', 'luks2', 'b');
    await both('', 'luksHeaderBackup', 'b');
    await both('', 'luksHeaderRestore', '-q', 'b', '--header-backup-file', 'newline');
    await both('', 'reencrypt', '--resume-only', 'a');
  }, 60_000);

  test.concurrent('headers: labels, tokens, backups, conversion', async () => {
    using twins = new Twins();
    const { both } = bound(twins);
    await both('pw', 'luksFormat', '-q', '--type', 'luks1', ...CHEAP, 'b');
    await both('', 'luksHeaderBackup', 'b', '--header-backup-file', 'b1');
    await both('', 'convert', '-q', '--type', 'luks2', 'b');
    await both('', 'convert', '-q', '--type', 'luks2', 'b');
    await both('', 'config', '--label', 'one', '--subsystem', 'two', 'b');
    await both('', 'config', '--priority', 'prefer', '-S', '0', 'b');
    await both('', 'token', 'add', 'b', '--key-description', 'my:key');
    const uuid = '12345678-1234-1234-1234-123456789abc';
    await both('', 'luksUUID', '-q', '--uuid', uuid, 'b');
    expect((await both('', 'luksUUID', 'b')).stdout).toBe(`${uuid}\n`);
    const token = await both('', 'token', 'export', '--token-id', '0', 'b');
    expect(JSON.parse(token.stdout)).toMatchObject({ key_description: 'my:key' });
    await both('', 'luksHeaderBackup', 'b', '--header-backup-file', 'b2');
    await both('', 'luksHeaderBackup', 'b', '--header-backup-file', 'b2');
    await both('', 'erase', '-q', 'b');
    await both('', 'luksHeaderRestore', '-q', 'b', '--header-backup-file', 'b2');
    await both('pw', 'open', '--test-passphrase', 'b');
    for (const name of ['b1', 'b2']) {
      const sizes = [twins.theirs, twins.ours].map((folder) => readFileSync(join(folder, name)));
      expect(sizes[1]!.byteLength).toBe(sizes[0]!.byteLength);
    }
  }, 60_000);

  test.concurrent('dumps are equal byte for byte, and each opens what the other one made', async () => {
    using twins = new Twins();
    const { both } = bound(twins);
    await both('pw', 'luksFormat', '-q', ...CHEAP, '--label', 'one', 'a');
    await both('pw', 'luksFormat', '-q', '--type', 'luks1', ...CHEAP, 'b');
    for (const folder of [twins.theirs, twins.ours]) {
      for (const name of ['a', 'b']) {
        const path = join(folder, name);
        const theirs = await twins.cryptsetup('pw', 'luksDump', path);
        expect((await twins.devmapper('pw', 'dump', path)).stdout).toBe(theirs.stdout);
        const key = ['luksDump', '-q', '--dump-volume-key', path];
        const theirKey = await twins.cryptsetup('pw', ...key);
        expect((await twins.devmapper('pw', ...key)).stdout).toBe(theirKey.stdout);
        expect(theirKey.stdout).toContain('MK dump:');
      }
      const json = ['luksDump', '--dump-json-metadata', join(folder, 'a')];
      const [theirs, ours] = [
        await twins.cryptsetup('', ...json),
        await twins.devmapper('', ...json),
      ];
      expect(JSON.parse(ours.stdout)).toEqual(JSON.parse(theirs.stdout));
      const { stdout } = await twins.devmapper('', 'dump', '--json', join(folder, 'b'));
      expect(JSON.parse(stdout)).toBeTypeOf('object');
    }
  }, 60_000);

  test.concurrent('an image is encrypted in place, changed and decrypted, by both in turn', async () => {
    using twins = new Twins();
    const path = join(twins.ours, 'plain');
    const plain = Buffer.alloc(8 * MIB, 'plain text ');
    writeFileSync(path, plain);
    const header = join(twins.ours, 'header');
    const where = ['--header', header, path];
    const ours = async (...words: string[]) => {
      const result = await twins.devmapper('pw', 'reencrypt', '-q', ...CHEAP, ...words, ...where);
      expect(result).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('Finished, time'),
      });
    };
    await ours('--encrypt');
    expect(readFileSync(path).includes('plain text')).toBe(false);
    // Behind larger sectors the kernel would not find a partition table, or a file system of small blocks.
    const { stdout: dump } = await twins.cryptsetup('', 'luksDump', header);
    expect(dump).toContain('sector: 512 [bytes]');
    expect(await twins.cryptsetup('pw', 'open', '--test-passphrase', ...where)).toMatchObject({
      status: 0,
    });
    await ours();
    await ours('--decrypt');
    expect(readFileSync(path).equals(plain)).toBe(true);
    expect(existsSync(header)).toBe(true);
  }, 60_000);
});

function bound(twins: Twins) {
  return { both: twins.both.bind(twins) };
}

describe('exit statuses', () => {
  test.concurrent('a command that does not exist, options that do not', async () => {
    using twins = new Twins();
    expect(await twins.devmapper('', 'bogus')).toMatchObject({ status: 1 });
    expect(await twins.devmapper('', 'dump', '--bogus', 'a')).toMatchObject({ status: 1 });
    expect(await twins.devmapper('', 'dump')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('devmapper luks dump --help'),
    });
  });
});
