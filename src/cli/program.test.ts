import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { bashScript, zshScript } from './completion/bash.ts';
import { fishScript } from './completion/fish.ts';
import { type CompletedProgram, completedProgram } from './completion/model.ts';
import { manPage } from './man-page.ts';
import { createProgram } from './program.ts';

let program: Command;
let model: CompletedProgram;

beforeAll(async () => {
  program = await createProgram(null);
  model = completedProgram(program);
});

function helpOf(command: Command): string {
  let printed = '';
  command.configureOutput({ writeOut: (text) => (printed += text) });
  command.outputHelp();
  return printed;
}

describe('every command', () => {
  it('has a summary, and help with examples', () => {
    const without = program.commands.filter(
      (command) => command.description() === '' || !helpOf(command).includes('Examples:'),
    );
    expect(without.map((command) => command.name())).toEqual([]);
  });

  it('has the names of dmsetup --help', () => {
    const dmsetup =
      'create remove remove_all suspend resume load clear reload wipe_table rename measure message ls info deps stats status table wait mknodes mangle udevcreatecookie udevreleasecookie udevflags udevcomplete udevcomplete_all udevcookies target-version targets version setgeometry splitname help';
    const names = model.commands.flatMap((command) => command.names);
    expect(dmsetup.split(' ').filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe('completion', () => {
  /** What bash offers for the last word; devices and target types are stood in for. */
  function offered(...words: string[]): string[] {
    const script = `${bashScript(model)}
_devmapper_devices() { printf '%s\\n' disk 'two words'; }
_devmapper_targets() { echo linear; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _devmapper; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', 'devmapper', ...words], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return stdout.trimEnd().split('\n');
  }

  it.each([
    [['rem'], ['remove', 'remove_all']],
    [
      ['table', ''],
      ['disk', 'two words'],
    ],
    [['table', '--tar'], ['--target']],
    [['table', '--target', ''], ['linear']],
    [['target-version', ''], ['linear']],
    [['ls', '--manglename', 'h'], ['hex']],
    [
      ['daemon', 'st'],
      ['start', 'stop', 'status'],
    ],
    [['resume', 'd'], ['disk']],
    [['help', 'wipe'], ['wipe_table']],
    [['load', 'disk', 'package.js'], ['package.json']],
    [['version', 'x'], ['']],
  ])('bash, %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });

  it('tells fish what words are for, and what options take', () => {
    const lines = fishScript(model).split('\n');
    expect(lines).toContain(
      "complete -c devmapper -n '__fish_seen_subcommand_from remove' -a '(__devmapper_devices)'",
    );
    expect(lines).toContain(
      "complete -c devmapper -n __fish_use_subcommand -a remove -d 'remove devices'",
    );
    expect(
      lines.find((line) => line.includes('from table') && line.includes(' -l target ')),
    ).toMatch(/ -x -a '\(__devmapper_targets\)' /);
    expect(zshScript(model)).toMatch(/^#compdef devmapper\n/);
  });
});

describe('manPage', () => {
  it('has a section for every command, and nothing that roff takes for its own', () => {
    const page = manPage(program, { version: '1.2.3', date: '2026-11-22' });
    for (const command of program.commands) {
      const names = [command.name(), ...command.aliases()].join(', ').replaceAll('-', '\\-');
      expect(page).toContain(`.SS "${names}"\n`);
    }
    const requests = new Set(page.match(/^\.\w*/gm));
    const used = ['.TH', '.SH', '.SS', '.B', '.BR', '.I', '.RI', '.PP', '.TP', '.nf', '.fi'];
    expect([...requests].filter((request) => !used.includes(request))).toEqual([]);
    // Every backslash is one of ours.
    expect(page.replaceAll(/\\[-e&]/g, '')).not.toContain('\\');
  });
});
