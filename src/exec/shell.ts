/** The user's shell, with a prompt that says where it is. */

import { basename } from 'node:path';

const PROMPT = '(devmapper) ';

/** Program, arguments, and what is added to its environment. DEVMAPPER_SHELL is there for prompts of one's own. */
export function shellWords(
  environment: NodeJS.ProcessEnv,
): [shell: string, words: string[], added: Record<string, string>] {
  const shell = environment['SHELL'] || '/bin/sh';
  const added = { DEVMAPPER_SHELL: '1' };
  // bash reads ~/.bashrc, which sets the prompt anew; this runs before each one.
  if (basename(shell) === 'bash') {
    const before = environment['PROMPT_COMMAND'];
    const own = `[[ $PS1 == "${PROMPT}"* ]] || PS1="${PROMPT}$PS1"`;
    return [shell, [], { ...added, PROMPT_COMMAND: before ? `${before}; ${own}` : own }];
  }
  return [shell, [], { ...added, PS1: `${PROMPT}${environment['PS1'] ?? '$ '}` }];
}
