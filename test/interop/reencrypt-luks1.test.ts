/** Re-encryption of LUKS1 by the command, stopped and resumed; cryptsetup judges the headers. */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireTools, toolEnvironment } from '../../src/testing/tools.ts';
import { program } from './daemon-rig.ts';
import { temporaryFolder } from './serve-process.ts';

const MIB = 1024 * 1024;
const CHEAP = ['--pbkdf-force-iterations', '1000'];

requireTools('cryptsetup')('re-encryption of LUKS1 by the command', () => {
  test('encrypts, changes the key, decrypts; stopped in between', () => {
    using folder = temporaryFolder();
    const image = join(folder.path, 'disk.img');
    const keyFile = join(folder.path, 'key');
    const state = `${image}.luks1-reencrypt`;
    const plain = Buffer.alloc(8 * MIB, 'plain text ');
    writeFileSync(keyFile, 'pw');
    writeFileSync(image, plain);
    truncateSync(image, 12 * MIB);

    const reencrypt = (...words: string[]) => {
      const line = [program, 'luks', 'reencrypt', '-q', '-d', keyFile, ...CHEAP, ...words, image];
      const env = { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1' };
      return spawnSync(process.execPath, line, { env, encoding: 'utf8' });
    };
    const digest = () => {
      const text = execFileSync('cryptsetup', ['luksDump', image], { encoding: 'utf8' });
      expect(text).toContain('Version:       \t1');
      return /MK digest:.*/.exec(text)![0];
    };
    const encrypt = ['--encrypt', '--type', 'luks1', '--reduce-device-size', '4M'];

    expect(reencrypt('--init-only', ...encrypt).status).toBe(0);
    expect(magicOf(image)).toBe('4c554b53dead');
    expect(existsSync(state)).toBe(true);
    expect(spawnSync('cryptsetup', ['isLuks', image]).status).not.toBe(0);
    expect(reencrypt().status).toBe(0);
    expect(existsSync(state)).toBe(false);
    expect(readFileSync(image).includes('plain text plain text')).toBe(false);
    const first = digest();
    execFileSync('cryptsetup', ['open', '--test-passphrase', '-d', keyFile, image]);

    expect(reencrypt().status).toBe(0);
    expect(digest()).not.toBe(first);
    execFileSync('cryptsetup', ['open', '--test-passphrase', '-d', keyFile, image]);

    expect(reencrypt('--decrypt').status).toBe(0);
    expect(readFileSync(image).subarray(0, plain.length).equals(plain)).toBe(true);
  }, 60_000);

  test('refuses an image that cryptsetup marked, and says where its state is', () => {
    using folder = temporaryFolder();
    const image = join(folder.path, 'disk.img');
    const keyFile = join(folder.path, 'key');
    writeFileSync(keyFile, 'pw');
    writeFileSync(image, '');
    truncateSync(image, 4 * MIB);
    const words = ['luksFormat', '--type', 'luks1', '-q', ...CHEAP, image, keyFile];
    execFileSync('cryptsetup', words);
    const bytes = readFileSync(image);
    bytes.set([0xde, 0xad], 4);
    writeFileSync(image, bytes);
    const line = [program, 'luks', 'reencrypt', '-q', '-d', keyFile, image];
    const { status, stderr } = spawnSync(process.execPath, line, {
      env: { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1' },
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain('run cryptsetup reencrypt again in the folder with LUKS-');
    expect(readFileSync(image).equals(bytes)).toBe(true);
  }, 30_000);
});

const magicOf = (path: string) => readFileSync(path).subarray(0, 6).toString('hex');
