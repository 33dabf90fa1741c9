/** Several programs at one LUKS image, ours and cryptsetup; and programs that are interrupted while they derive a key. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { openFileDisk } from '../../src/devices/byte-disk.ts';
import { readHeader } from '../../src/formats/luks2/read-header.ts';
import { writeHeader } from '../../src/formats/luks2/write-header.ts';
import { requireTools, toolEnvironment } from '../../src/testing/tools.ts';
import { program } from './daemon-rig.ts';
import { succeed, temporaryFolder } from './serve-process.ts';

const MIB = 1024 * 1024;
const CHEAP = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

class Bench implements Disposable {
  readonly #folder = temporaryFolder();
  readonly image = this.path('disk.img');

  path(name: string): string {
    return join(this.#folder.path, name);
  }

  keyFile(text: string): string {
    writeFileSync(this.path(text), text);
    return this.path(text);
  }

  async format(type: string): Promise<void> {
    writeFileSync(this.image, '');
    truncateSync(this.image, 20 * MIB);
    const words = ['luksFormat', '-q', '--type', type, ...CHEAP, this.image, this.keyFile('first')];
    await succeed('cryptsetup', ...words);
  }

  start(...words: string[]): ChildProcess {
    const env = { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1' };
    return spawn(process.execPath, [program, ...words], { env, stdio: 'ignore' });
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

/** So many passes over so much memory that nobody waits for it. */
async function makeCostly(image: string): Promise<void> {
  await using disk = await openFileDisk(image, { readOnly: false });
  const header = await readHeader(disk);
  const slot = header.metadata.keyslots.get(0)!;
  const { salt } = slot.kdf as { salt: string };
  const costly = { type: 'argon2id', time: 10_000, memory: 131_072, cpus: 1, salt } as const;
  header.metadata.keyslots.set(0, { ...slot, kdf: costly });
  await writeHeader(disk, header);
}

/** It has the memory of argon2. */
async function derives({ pid }: ChildProcess): Promise<void> {
  for (;;) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    if (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) > 190_000) return;
    await sleep(systemClock, 20);
  }
}

requireTools('cryptsetup')('a LUKS image', () => {
  test.each(['luks1', 'luks2'])(
    '%s loses no key slot when several programs add one at once',
    async (type) => {
      using bench = new Bench();
      await bench.format(type);
      const { image } = bench;
      const first = ['-q', ...CHEAP, '--key-file', bench.path('first'), image];
      const added = ['one', 'two', 'three'];
      const ends = added.map((name) =>
        once(bench.start('luks', 'add-key', ...first, bench.keyFile(name)), 'exit'),
      );
      const theirs = succeed('cryptsetup', 'luksAddKey', ...first, bench.keyFile('theirs'));
      expect(await Promise.all(ends)).toEqual(added.map(() => [0, null]));
      await theirs;
      for (const name of ['first', 'theirs', ...added]) {
        const key = ['--key-file', bench.path(name)];
        await succeed('cryptsetup', 'open', '--test-passphrase', ...key, image);
      }
    },
    60_000,
  );

  test('lets go at once of who derives a key for it', async () => {
    using bench = new Bench();
    await bench.format('luks2');
    await makeCostly(bench.image);
    const before = readFileSync(bench.image);
    const { image } = bench;
    const key = ['--key-file', bench.path('first')];
    const commands: [NodeJS.Signals, string[]][] = [
      ['SIGINT', ['luks', 'add-key', '-q', ...CHEAP, ...key, image, bench.keyFile('new')]],
      ['SIGTERM', ['serve', '--luks', image, ...key, '--socket', bench.path('socket')]],
    ];
    for (const [signal, words] of commands) {
      const child = bench.start(...words);
      const ended = once(child, 'exit');
      await derives(child);
      child.kill(signal);
      expect([words[0], ...(await ended)]).toEqual([words[0], null, signal]);
    }
    expect(readFileSync(image).equals(before)).toBe(true);
  }, 60_000);
});
