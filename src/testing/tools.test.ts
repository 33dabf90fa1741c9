import { afterEach, describe, expect, test, vi } from 'vitest';
import { describeUnless, findTool, missingTools, requireTools, toolEnvironment } from './tools.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('finds a program and not what is none', () => {
  expect(findTool('sh')).toMatch(/\/sh$/);
  expect(findTool('no-such-program')).toBeNull();
  expect(missingTools(['sh', 'no-such-program'])).toEqual(['no-such-program']);
});

test('puts system folders first in PATH and keeps the others, each once', () => {
  const path = toolEnvironment({ PATH: '/home/x/.pyenv/shims:/usr/bin', HOME: '/home/x' });
  const folders = path['PATH']!.split(':');
  expect(folders.indexOf('/usr/bin')).toBeLessThan(folders.indexOf('/home/x/.pyenv/shims'));
  expect(folders.filter((folder) => folder === '/usr/bin')).toHaveLength(1);
  expect(path['HOME']).toBe('/home/x');
});

test('runs a suite whose tools are there', () => {
  expect(requireTools('sh')).toBe(describe);
});

test('skips a suite whose tools are missing, and says which', () => {
  vi.stubEnv('CI', '');
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(requireTools('sh', 'no-such-program')).not.toBe(describe);
  expect(write).toHaveBeenCalledWith(expect.stringContaining('needs no-such-program;'));
});

test('does not skip in CI', () => {
  vi.stubEnv('CI', 'true');
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(describeUnless('needs a thing')).not.toBe(describe);
  expect(write).not.toHaveBeenCalled();
  expect(describeUnless(null)).toBe(describe);
});
