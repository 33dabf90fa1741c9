/**
 * The program: finds the command, leaves the work to its file, turns failures into text and an exit status. A command of dmsetup's runs
 * without commander, whose loading takes a fifth of the start.
 */

import { COMMANDS, type RunWords } from './commands.ts';
import { asksForHelp, runDmsetupCommand, splitAtCommand } from './dmsetup/command.ts';
import { describeFailure } from './failure.ts';

/** Of the program, not of a command behind it. */
const OWN_OPTIONS: readonly string[] = ['-h', '--help', '--version'];

/** Runs one command line and resolves with its exit status. */
export async function main(words: readonly string[]): Promise<number> {
  outliveReaders();
  try {
    return await run(words);
  } catch (error) {
    const { text, status } = describeFailure(error);
    process.stderr.write(text);
    return status;
  }
}

async function run(words: readonly string[]): Promise<number> {
  const [leading, rest] = findCommand(words);
  if (wantsFields(rest)) return await run(LIST_FIELDS);
  const [name] = rest;
  const entry = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (name === undefined || !entry) return await runWithCommander(words, null);
  if (!entry.dmsetup) {
    if (entry.run) return await runOwn(name, await entry.run(), rest.slice(1));
    return await runWithCommander(rest, entry.wantsAll ? null : name);
  }
  const ownWords = [...leading, ...rest.slice(1)];
  if (asksForHelp(ownWords)) return await runWithCommander([name, '--help'], name);
  await runDmsetupCommand(name, await entry.load(), ownWords);
  return Number(process.exitCode ?? 0);
}

/** A command with commands of its own. */
async function runOwn(name: string, runWords: RunWords, words: readonly string[]): Promise<number> {
  const result = await runWords(words);
  if (typeof result === 'number') return result;
  const { helpFor } = result;
  return await runWithCommander([name, ...(helpFor === null ? [] : [helpFor]), '--help'], name);
}

/** `help -c`: dmsetup's way to ask for the fields of reports. */
const LIST_FIELDS = ['info', '-c', '-o', 'help'];

function wantsFields([name, ...options]: readonly string[]): boolean {
  return name === 'help' && options.some((word) => ['-c', '-C', '--columns'].includes(word));
}

/** Options in front of the command, which dmsetup takes and only there; and the words from the command on. */
function findCommand(words: readonly string[]): [leading: readonly string[], rest: string[]] {
  const [first] = words;
  if (!first?.startsWith('-') || OWN_OPTIONS.includes(first)) return [[], [...words]];
  return splitAtCommand(words);
}

async function runWithCommander(words: readonly string[], name: string | null): Promise<number> {
  const { runProgram } = await import('./program.ts');
  return await runProgram(words, name);
}

/** A reader that went away (`| head -1`, a closed terminal) must not end what is served. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
}
