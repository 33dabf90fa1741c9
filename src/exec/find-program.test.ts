import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findProgram, preloadObstacle } from './find-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-program-'));

afterAll(() => rmSync(folder, { recursive: true }));

function program(name: string, content: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, 0o755);
  return path;
}

/** The front of a little-endian ELF file with one program header. */
function elf({ bits = 64, interpreter = '' }): Buffer {
  const head = Buffer.alloc(256);
  head.writeUInt32BE(0x7f454c46, 0);
  head[4] = bits === 64 ? 2 : 1;
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(interpreter === '' ? 1 : 3, 64);
  head.writeBigUInt64LE(128n, 72);
  head.write(`${interpreter}\0`, 128, 'latin1');
  return head;
}

describe('finding a program', () => {
  test('in PATH, in order, or by its path', () => {
    const path = program('tool', '#!/bin/sh\n');
    expect(findProgram('tool', `/nonexistent:${folder}`)).toBe(path);
    expect(findProgram(path, '')).toBe(path);
    expect(findProgram('tool', '/nonexistent')).toBeNull();
  });

  test('not one that may not be run', () => {
    const path = program('data', '');
    chmodSync(path, 0o644);
    expect(findProgram(path, '')).toBeNull();
    expect(findProgram(folder, '')).toBeNull();
  });
});

describe('what a preload library cannot reach', () => {
  test.each([
    ['glibc', elf({ interpreter: '/lib64/ld-linux-x86-64.so.2' }), null],
    ['static', elf({}), /is statically linked/],
    ['musl', elf({ interpreter: '/lib/ld-musl-x86_64.so.1' }), /uses musl instead of glibc/],
    ['old', elf({ bits: 32, interpreter: '/lib/ld-linux.so.2' }), /is a 32-bit program/],
    ['short', Buffer.from([0x7f, 0x45, 0x4c, 0x46]), null],
    ['empty', Buffer.alloc(0), null],
  ])('%s', (name, content, reason) => {
    const obstacle = preloadObstacle(program(name, content), folder);
    if (reason === null) expect(obstacle).toBeNull();
    else expect(obstacle).toMatch(reason);
  });

  test('a script is judged by its interpreter', () => {
    const shell = program('static-shell', elf({}));
    const direct = program('direct', `#!${shell} -e\n`);
    const byEnv = program('by-env', '#!/usr/bin/env static-shell\n');
    expect(preloadObstacle(direct, '')).toMatch(/static-shell is statically linked/);
    expect(preloadObstacle(byEnv, folder)).toMatch(/static-shell is statically linked/);
    expect(preloadObstacle(program('loop', `#!${join(folder, 'loop')}\n`), '')).toBeNull();
  });
});
