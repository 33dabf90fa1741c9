/**
 * Finds the real programs that tests compare with, and decides what a test does without one: skip with the reason on a
 * developer's machine, fail in CI (environment variable CI), where nothing may be missing.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from 'vitest';

/** Administrators' programs live there, and an ordinary user's PATH lacks the last two. */
const systemFolders = [
  '/usr/local/bin',
  '/usr/bin',
  '/bin',
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
];

/**
 * Tools that can be there and yet not work: nbdsh runs whatever `python3` comes first, and a Python from pyenv or the
 * like lacks libnbd's module.
 */
const probes: Readonly<Record<string, readonly string[]>> = { nbdsh: ['--version'] };

const found = new Map<string, string | null>();

/**
 * The environment to run real programs in: system folders come first in PATH, so that their own interpreters run them.
 * To run this very Node in it, spawn `process.execPath`, not `node`.
 */
export function toolEnvironment(environment: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const folders = new Set([...systemFolders, ...(environment['PATH'] ?? '').split(delimiter)]);
  folders.delete('');
  return { ...environment, PATH: [...folders].join(delimiter) };
}

/** The path of a real program that works, or null. */
export function findTool(name: string): string | null {
  const known = found.get(name);
  if (known !== undefined) return known;
  const path = locate(name, toolEnvironment()['PATH']!);
  const usable = path !== null && works(name, path) ? path : null;
  found.set(name, usable);
  return usable;
}

/** Of `names`, those that are not there or do not work. */
export function missingTools(names: readonly string[]): string[] {
  return names.filter((name) => findTool(name) === null);
}

export type Describe = typeof describe | typeof describe.skip;

/** `describe` for a suite that needs these programs: `requireTools('nbdinfo', 'qemu-img')('export', () => { ... })` */
export function requireTools(...names: string[]): Describe {
  const missing = missingTools(names);
  if (missing.length === 0) return describe;
  return describeUnless(
    `needs ${missing.join(', ')}; scripts/install-oracles installs or names what is missing`,
  );
}

/** `describe` when there is no obstacle; otherwise the suite is skipped, saying why, or fails, in CI. */
export function describeUnless(obstacle: string | null): Describe {
  if (obstacle === null) return describe;
  if (!process.env['CI']) {
    process.stderr.write(`Skipped: ${obstacle}\n`);
    return describe.skip;
  }
  const failing = (name: string) =>
    describe(name, () => {
      test('has what it needs', () => {
        throw new Error(`Cannot run this suite in CI: ${obstacle}`);
      });
    });
  return failing as Describe;
}

function locate(name: string, searchPath: string): string | null {
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, name);
    if (isProgram(path)) return path;
  }
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return false;
    throw error;
  }
}

function works(name: string, path: string): boolean {
  const probe = probes[name];
  return probe === undefined || spawnSync(path, probe, { env: toolEnvironment() }).status === 0;
}
