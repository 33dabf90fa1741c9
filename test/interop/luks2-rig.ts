/** Runs the real cryptsetup on images, and reads and writes the same images here. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../src/crypto/secret.ts';
import { type Luks2OnDisk, openLuks2 } from '../../src/formats/luks2/volume.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { toolEnvironment } from '../../src/testing/tools.ts';

const PROGRAM = 'cryptsetup';

export const TINY_ARGON2 = { forceIterations: 4, memoryKiB: 32, parallel: 1 } as const;
export const TINY_ARGON2_WORDS = [
  ...['--pbkdf-memory', '32', '--pbkdf-force-iterations', '4'],
  ...['--pbkdf-parallel', '1'],
];
export const TINY_PBKDF2 = { name: 'pbkdf2', forceIterations: 1000 } as const;
export const TINY_PBKDF2_WORDS = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];

export const secret = (text: string) => Secret.from(new TextEncoder().encode(text));

export interface RunResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A folder with images and passphrase files: `pw1` has the passphrase `pw1`. */
export class Bench implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'devmapper-luks2-'));

  constructor() {
    for (const name of ['pw1', 'pw2', 'pw3']) writeFileSync(this.path(name), name);
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  async create(name: string, sizeBytes: number): Promise<void> {
    writeFileSync(this.path(name), '');
    await truncate(this.path(name), sizeBytes);
  }

  /** The image in memory; `save` writes it back. */
  load(name: string): MemoryByteDisk {
    return new MemoryByteDisk(new Uint8Array(readFileSync(this.path(name))), { name });
  }

  save(name: string, disk: MemoryByteDisk): void {
    writeFileSync(this.path(name), disk.bytes);
  }

  /** Changes the image with our code. */
  async edit<T>(name: string, change: (volume: Luks2OnDisk) => Promise<T>): Promise<T> {
    const disk = this.load(name);
    const result = await change(await openLuks2(disk));
    this.save(name, disk);
    return result;
  }

  /** Words that name a file of the folder begin with `@`. */
  try(...words: string[]): Promise<RunResult> {
    const named = words.map((word) => (word.startsWith('@') ? this.path(word.slice(1)) : word));
    return new Promise((resolve) => {
      const options = { env: toolEnvironment(), timeout: 60_000 };
      const child = execFile(PROGRAM, ['-q', ...named], options, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({ status, stdout, stderr });
      });
      child.stdin?.end();
    });
  }

  /** What it prints; fails unless it ends with 0. */
  async cryptsetup(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.try(...words);
    if (status !== 0) throw new Error(`cryptsetup ${words.join(' ')}: ${status} ${stderr}`);
    return stdout;
  }

  async opens(name: string, passphrase: string, ...words: string[]): Promise<boolean> {
    const key = ['--key-file', `@${passphrase}`];
    const test = ['open', '--test-passphrase', ...key, ...words, `@${name}`];
    return (await this.try(...test)).status === 0;
  }

  /** The volume key as cryptsetup sees it, in hex. */
  async volumeKey(name: string, passphrase: string): Promise<string> {
    const out = `key-${name}-${passphrase}`;
    rmSync(this.path(out), { force: true });
    await this.cryptsetup(
      'luksDump',
      '--dump-volume-key',
      ...['--volume-key-file', `@${out}`, '--key-file', `@${passphrase}`],
      `@${name}`,
    );
    return readFileSync(this.path(out)).toString('hex');
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Both dumps, as it prints them. */
export async function cryptsetupDumps(bench: Bench, name: string) {
  return {
    text: await bench.cryptsetup('luksDump', `@${name}`),
    json: await bench.cryptsetup('luksDump', '--dump-json-metadata', `@${name}`),
  };
}

export function ourDumps(volume: Luks2OnDisk) {
  return { text: volume.dumpText(), json: volume.metadataText() };
}

/** Metadata with everything random left out. */
export function masked(json: string): string {
  return json.replace(/("(?:salt|digest)":)"[^"]*"/g, '$1"..."');
}
