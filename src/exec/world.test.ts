import { describe, expect, test } from 'vitest';
import { shellWords } from './shell.ts';
import { worldEnvironment } from './world.ts';

const world = {
  folder: '/run/d',
  mapped: { major: 252, devices: [], nodes: true },
  view: 'nodes' as const,
};

describe('the environment of a program', () => {
  test('names the daemon and the library', () => {
    const environment = worldEnvironment(world, '/run/d/devmapper-preload-1.so', { HOME: '/h' });
    expect(environment).toEqual({
      HOME: '/h',
      LD_PRELOAD: '/run/d/devmapper-preload-1.so',
      DEVMAPPER_DIR: '/run/d',
      DEVMAPPER_EXEC: '252 nodes',
      DM_DISABLE_UDEV: '1',
      LIBMOUNT_FORCE_MOUNT2: 'always',
    });
  });

  test('keeps other libraries, and our own once', () => {
    const inside = { LD_PRELOAD: 'libfakeroot.so /old/devmapper-preload-0.so:libx.so' };
    const { LD_PRELOAD } = worldEnvironment(world, '/new/devmapper-preload-1.so', inside);
    expect(LD_PRELOAD).toBe('libfakeroot.so:libx.so:/new/devmapper-preload-1.so');
  });

  test('has a configuration of LVM in the private view, unless there is one', () => {
    const own = { ...world, view: 'private' as const };
    expect(worldEnvironment(own, 'l', {})['LVM_SYSTEM_DIR']).toBe('/run/d/lvm');
    expect(worldEnvironment(own, 'l', { LVM_SYSTEM_DIR: '/e' })['LVM_SYSTEM_DIR']).toBe('/e');
  });
});

describe('the shell', () => {
  test('is the user’s, with a prompt that says so', () => {
    const [shell, words, added] = shellWords({ SHELL: '/bin/dash', PS1: '# ' });
    expect([shell, words, added]).toEqual([
      '/bin/dash',
      [],
      { DEVMAPPER_SHELL: '1', PS1: '(devmapper) # ' },
    ]);
    expect(shellWords({})[0]).toBe('/bin/sh');
  });

  test('bash gets its prompt after its start files', () => {
    const [, , added] = shellWords({ SHELL: '/usr/bin/bash', PROMPT_COMMAND: 'date' });
    expect(added['PROMPT_COMMAND']).toMatch(/^date; .*\(devmapper\) /);
  });
});
