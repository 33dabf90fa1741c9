/** Completion for bash, and for zsh, which runs bash's functions through its own adapter. */

import type { CompletedCommand, CompletedOption, CompletedProgram, Words } from './model.ts';

/** Asked for at each key press, so that they are what is there now; a failure completes nothing. */
const FUNCTIONS = `_devmapper_devices() {
  "\${COMP_WORDS[0]}" ls 2>/dev/null | sed -n 's/\\t(.*//p'
}
_devmapper_targets() {
  "\${COMP_WORDS[0]}" targets 2>/dev/null | sed 's/ .*//'
}
_devmapper_offer() {
  local word=$1 kind=$2; shift 2
  local IFS=$'\\n'
  case $kind in
    devices) COMPREPLY+=($(compgen -W "$(_devmapper_devices)" -- "$word")) ;;
    targets) COMPREPLY+=($(compgen -W "$(_devmapper_targets)" -- "$word")) ;;
    files) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$word")) ;;
    choices) COMPREPLY+=($(compgen -W "$(printf '%s\\n' "$@")" -- "$word")) ;;
  esac
}`;

export function bashScript({ options, commands }: CompletedProgram): string {
  const first = [...commands.flatMap(({ names }) => names), ...optionWords(options)];
  return `${FUNCTIONS}
_devmapper() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    _devmapper_offer "$word" choices ${first.join(' ')}
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map((command) => commandCase(command, 1)).join('\n')}
  esac
}
complete -F _devmapper devmapper
`;
}

export function zshScript(program: CompletedProgram): string {
  return `#compdef devmapper\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(program)}`;
}

/** `at`: which word of the line is its name. */
function commandCase(command: CompletedCommand, at: number): string {
  const { names, commands } = command;
  if (commands.length === 0) return `    ${names.join('|')})\n${wordsOf(command).join('\n')} ;;`;
  return [
    `    ${names.join('|')})`,
    `      if [ "$COMP_CWORD" -gt ${at + 1} ]; then case \${COMP_WORDS[${at + 1}]} in`,
    ...commands.map((inner) => commandCase(inner, at + 1)),
    '      esac; else',
    ...wordsOf(command),
    '      fi ;;',
  ].join('\n');
}

function wordsOf({ options, operands }: CompletedCommand): string[] {
  const values = options.flatMap((option) => {
    const flags = optionWords([option]).join('|');
    return option.value === null ? [] : [`        ${flags}) ${offer(option.value)}; return ;;`];
  });
  const valueCase = values.length === 0 ? [] : ['      case $before in', ...values, '      esac'];
  return [
    ...valueCase,
    '      if [[ $word == -* ]]; then',
    `        _devmapper_offer "$word" choices ${optionWords(options).join(' ')}`,
    '      else',
    ...(operands.length === 0 ? ['        :'] : operands.map((words) => `        ${offer(words)}`)),
    '      fi',
  ];
}

function offer(words: Words): string {
  const choices = words.kind === 'choices' ? ` ${words.choices.join(' ')}` : '';
  return `_devmapper_offer "$word" ${words.kind}${choices}`;
}

function optionWords(options: readonly CompletedOption[]): string[] {
  return options.flatMap(({ short, long }) => [short, long].filter((word) => word !== null));
}
