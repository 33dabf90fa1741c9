/**
 * `devmapper completion SHELL`: a script that completes commands, options, and names of devices, target types and files. The program it
 * is added to must have all of its commands.
 */

import { Argument, type Command } from 'commander';

const EXAMPLES = `
Examples:
  devmapper completion bash > ~/.local/share/bash-completion/completions/devmapper
  devmapper completion zsh > "\${fpath[1]}/_devmapper"
  devmapper completion fish > ~/.config/fish/completions/devmapper.fish`;

type Shell = 'bash' | 'zsh' | 'fish';

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', EXAMPLES)
    .action(async (shell: Shell) => {
      process.stdout.write(await completionScript(shell, program));
    });
}

async function completionScript(shell: Shell, program: Command): Promise<string> {
  const { completedProgram } = await import('./model.ts');
  const model = completedProgram(program);
  if (shell === 'fish') return (await import('./fish.ts')).fishScript(model);
  const { bashScript, zshScript } = await import('./bash.ts');
  return shell === 'bash' ? bashScript(model) : zshScript(model);
}
