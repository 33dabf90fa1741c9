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
${commands.map(commandCase).join('\n')}
  esac
}
complete -F _devmapper devmapper
`;
}

export function zshScript(program: CompletedProgram): string {
  return `#compdef devmapper\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(program)}`;
}

function commandCase({ names, options, operands }: CompletedCommand): string {
  const values = options.flatMap((option) => {
    const flags = optionWords([option]).join('|');
    return option.value === null ? [] : [`        ${flags}) ${offer(option.value)}; return ;;`];
  });
  const valueCase = values.length === 0 ? [] : ['      case $before in', ...values, '      esac'];
  return [
    `    ${names.join('|')})`,
    ...valueCase,
    '      if [[ $word == -* ]]; then',
    `        _devmapper_offer "$word" choices ${optionWords(options).join(' ')}`,
    '      else',
    ...(operands.length === 0 ? ['        :'] : operands.map((words) => `        ${offer(words)}`)),
    '      fi ;;',
  ].join('\n');
}

function offer(words: Words): string {
  const choices = words.kind === 'choices' ? ` ${words.choices.join(' ')}` : '';
  return `_devmapper_offer "$word" ${words.kind}${choices}`;
}

function optionWords(options: readonly CompletedOption[]): string[] {
  return options.flatMap(({ short, long }) => [short, long].filter((word) => word !== null));
}
