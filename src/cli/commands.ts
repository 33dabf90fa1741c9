/**
 * Every command, and the file that declares it. A file is loaded only when its command is used, or when somebody wants to see all of
 * them (help, completion, man pages): this keeps the start short.
 */

import type { Command } from 'commander';

type AddCommand = (program: Command) => void;

interface CommandEntry {
  /** Reads its words as dmsetup does: options anywhere, also before the command, long names cut short. */
  dmsetup?: true;
  load(): Promise<AddCommand>;
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: { load: async () => (await import('./serve-command.ts')).addServeCommand },
  targets: { load: async () => (await import('./targets-command.ts')).addTargetsCommand },
  completion: { load: async () => (await import('./completion-command.ts')).addCompletionCommand },
};
