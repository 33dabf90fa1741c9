/** What can stand where on a command line, taken from the commands themselves. */

import type { Command, Option } from 'commander';

/** What completes a word: names of mapped devices, of target types, paths, or some words. */
export type Words =
  | { kind: 'devices' | 'targets' | 'files' | 'nothing' }
  | { kind: 'choices'; choices: readonly string[] };

export interface CompletedOption {
  long: string | null;
  short: string | null;
  purpose: string;
  /** null: it takes none. */
  value: Words | null;
}

export interface CompletedCommand {
  names: readonly string[];
  summary: string;
  options: readonly CompletedOption[];
  /** All of them are offered. */
  operands: readonly Words[];
  /** Commands of its own (`luks format`); what is offered behind one of them is the inner one's. */
  commands: readonly CompletedCommand[];
}

export interface CompletedProgram {
  options: readonly CompletedOption[];
  commands: readonly CompletedCommand[];
}

const NOTHING: Words = { kind: 'nothing' };
const FILES: Words = { kind: 'files' };
/** What dmsetup's commands call all of their words. */
const DMSETUP_WORDS = 'words';

export function completedProgram(program: Command): CompletedProgram {
  const commands = program.commands.map(completedCommand);
  const names = commands.flatMap((command) => command.names);
  const help: CompletedCommand = {
    names: ['help'],
    summary: 'print help for a command',
    options: [],
    operands: [{ kind: 'choices', choices: names }],
    commands: [],
  };
  return { options: completedOptions(program), commands: [...commands, help] };
}

function completedCommand(command: Command): CompletedCommand {
  return {
    names: [command.name(), ...command.aliases()],
    summary: command.description(),
    options: completedOptions(command),
    operands: operandsOf(command),
    commands: command.commands.map(completedCommand),
  };
}

function completedOptions(command: Command): CompletedOption[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => ({
      long: option.long ?? null,
      short: option.short ?? null,
      purpose: option.description,
      value: valueWords(option),
    }));
}

function valueWords(option: Option): Words | null {
  if (!(option.required || option.optional)) return null;
  if (option.argChoices) return { kind: 'choices', choices: option.argChoices };
  const value = /[<[](.+)[\]>]/.exec(option.flags)?.[1] ?? '';
  if (option.long === '--target') return { kind: 'targets' };
  if (/^\w+(\|\w+)+$/.test(value) && !value.includes('file')) {
    return { kind: 'choices', choices: value.split('|') };
  }
  return /file|path|folder|image/.test(value) || option.long === '--table' ? FILES : NOTHING;
}

/** dmsetup's commands say it in their usage, the others in their arguments. */
function operandsOf(command: Command): Words[] {
  const usage = command.usage();
  const names = command.commands.map((inner) => inner.name());
  if (names.length > 0) return [{ kind: 'choices', choices: names }];
  const words: Words[] = [];
  if (usage.includes('<device>')) words.push({ kind: 'devices' });
  if (usage.includes('<target>')) words.push({ kind: 'targets' });
  if (/_file|IMAGE|<image>/.test(usage)) words.push(FILES);
  if (words.length > 0) return words;
  return command.registeredArguments
    .filter((argument) => argument.name() !== DMSETUP_WORDS)
    .map(({ argChoices }) => (argChoices ? { kind: 'choices', choices: argChoices } : FILES));
}
