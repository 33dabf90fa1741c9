/** Completion for fish, which shows what each word is for. */

import type { CompletedCommand, CompletedOption, CompletedProgram, Words } from './model.ts';

const FUNCTIONS = `function __devmapper_devices
  devmapper ls 2>/dev/null | string replace -rf '\\t\\(.*' ''
end
function __devmapper_targets
  devmapper targets 2>/dev/null | string replace -r ' .*' ''
end`;

/** No command is on the line yet. */
const TOP = '__fish_use_subcommand';

export function fishScript({ options, commands }: CompletedProgram): string {
  const lines = [
    FUNCTIONS,
    'complete -c devmapper -f',
    ...options.map((option) => optionLine(option, TOP)),
    ...commands.flatMap((command) => commandLines(command, TOP)),
  ];
  return `${lines.join('\n')}\n`;
}

/** `where`: what must hold for its name to be the next word. */
function commandLines(command: CompletedCommand, where: string): string[] {
  const { names, summary, options, operands, commands } = command;
  const seen = `__fish_seen_subcommand_from ${names.join(' ')}`;
  const isInner = where !== TOP;
  const when = isInner ? `${where.replace(/; and not .*/, '')}; and ${seen}` : seen;
  const inner = commands.flatMap(({ names }) => names);
  const whereInner = `${when}; and not __fish_seen_subcommand_from ${inner.join(' ')}`;
  return [
    ...names.map(
      (name) =>
        `complete -c devmapper -n ${isInner ? quote(where) : where} -a ${name} -d ${quote(summary)}`,
    ),
    ...(commands.length > 0
      ? commands.flatMap((each) => commandLines(each, whereInner))
      : operands.map((words) => `complete -c devmapper -n ${quote(when)}${offer(words)}`)),
    ...options.map((option) => optionLine(option, when)),
  ];
}

function optionLine({ long, short, purpose, value }: CompletedOption, when: string): string {
  const flags = [
    long === null ? '' : ` -l ${long.replace(/^--/, '')}`,
    short === null ? '' : ` -s ${short.replace(/^-/, '')}`,
  ].join('');
  const needs = value === null ? '' : value.kind === 'files' ? ' -r -F' : ` -x${offer(value)}`;
  return `complete -c devmapper -n ${quote(when)}${flags}${needs} -d ${quote(purpose)}`;
}

function offer(words: Words): string {
  if (words.kind === 'files') return ' -F';
  if (words.kind === 'choices') return ` -a ${quote(words.choices.join(' '))}`;
  return words.kind === 'nothing' ? '' : ` -a '(__devmapper_${words.kind})'`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
