/** `devmapper completion SHELL`: a script that completes commands, options and file names, made from the commands themselves. */

import { Argument, type Command } from 'commander';

const EXAMPLES = `
Examples:
  devmapper completion bash > ~/.local/share/bash-completion/completions/devmapper
  devmapper completion zsh > "\${fpath[1]}/_devmapper"
  devmapper completion fish > ~/.config/fish/completions/devmapper.fish`;

interface Words {
  commands: string[];
  /** Of each command; '' for those before any command. */
  options: Map<string, string[]>;
}

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', EXAMPLES)
    .action((shell: 'bash' | 'zsh' | 'fish') => {
      process.stdout.write(completionScript(shell, collectWords(program)));
    });
}

function collectWords(program: Command): Words {
  const optionsOf = (command: Command) =>
    command
      .createHelp()
      .visibleOptions(command)
      .map(({ long, short }) => long ?? short ?? '');
  const options = new Map([['', optionsOf(program)]]);
  for (const command of program.commands) options.set(command.name(), optionsOf(command));
  return { commands: program.commands.map((command) => command.name()), options };
}

function completionScript(shell: 'bash' | 'zsh' | 'fish', words: Words): string {
  if (shell === 'fish') return fishScript(words);
  const script = bashScript(words);
  // zsh runs bash's functions through its own adapter.
  return shell === 'bash'
    ? script
    : `#compdef devmapper\nautoload -U +X bashcompinit && bashcompinit\n${script}`;
}

function bashScript({ commands, options }: Words): string {
  const cases = [...options]
    .filter(([command]) => command !== '')
    .map(([command, words]) => `    ${command}) words='${words.join(' ')}' ;;`);
  return `_devmapper() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=''
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W '${[...commands, 'help', ...(options.get('') ?? [])].join(' ')}' -- "$word"))
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
complete -o default -o bashdefault -F _devmapper devmapper
`;
}

function fishScript({ commands, options }: Words): string {
  const lines = [
    `complete -c devmapper -n __fish_use_subcommand -f -a '${[...commands, 'help'].join(' ')}'`,
  ];
  for (const [command, words] of options) {
    const when =
      command === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${command}`;
    for (const word of words) {
      lines.push(`complete -c devmapper -n '${when}' -l ${word.replace(/^--?/, '')}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
