/**
 * Every command, and the file that declares it. A file is loaded only when its command is used, or when somebody wants to see all of
 * them (help, completion, man pages): this keeps the start short.
 */

import type { Command } from 'commander';
import type { CommandHost } from './dmsetup/command.ts';

type AddCommand = (program: Command) => void | Promise<void>;
type AddDmsetup = (host: CommandHost) => void;

export type CommandEntry =
  /** Reads its words as dmsetup does: options anywhere, also before the command, long names cut short. */
  | { dmsetup: true; load(): Promise<AddDmsetup> }
  | {
      dmsetup?: false;
      /** It looks at all of the others. */
      wantsAll?: true;
      /** Reads its words itself, without commander, which knows it for the help only. */
      run?(): Promise<RunWords>;
      load(): Promise<AddCommand>;
    };

/** Takes the words behind the command's name. Resolves with the exit status, or with whose help is wanted: of one of its own commands, or null. */
export type RunWords = (words: readonly string[]) => Promise<number | { helpFor: string | null }>;

function dmsetup(load: () => Promise<AddDmsetup>): CommandEntry {
  return { dmsetup: true, load };
}

/** In the order of the help. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  serve: { load: async () => (await import('./serve-command.ts')).addServeCommand },
  daemon: { load: async () => (await import('./daemon-command.ts')).addDaemonCommand },

  create: dmsetup(async () => (await import('./dmsetup/create-command.ts')).addCreateCommand),
  remove: dmsetup(async () => (await import('./dmsetup/remove-command.ts')).addRemoveCommand),
  remove_all: dmsetup(
    async () => (await import('./dmsetup/remove-all-command.ts')).addRemoveAllCommand,
  ),
  load: dmsetup(async () => (await import('./dmsetup/load-command.ts')).addLoadCommand),
  reload: dmsetup(async () => (await import('./dmsetup/load-command.ts')).addLoadCommand),
  suspend: dmsetup(async () => (await import('./dmsetup/suspend-command.ts')).addSuspendCommand),
  resume: dmsetup(async () => (await import('./dmsetup/resume-command.ts')).addResumeCommand),
  clear: dmsetup(async () => (await import('./dmsetup/clear-command.ts')).addClearCommand),
  wipe_table: dmsetup(
    async () => (await import('./dmsetup/wipe-table-command.ts')).addWipeTableCommand,
  ),
  rename: dmsetup(async () => (await import('./dmsetup/rename-command.ts')).addRenameCommand),
  message: dmsetup(async () => (await import('./dmsetup/message-command.ts')).addMessageCommand),
  setgeometry: dmsetup(
    async () => (await import('./dmsetup/set-geometry-command.ts')).addSetGeometryCommand,
  ),
  splitname: dmsetup(
    async () => (await import('./dmsetup/splitname-command.ts')).addSplitnameCommand,
  ),
  mangle: dmsetup(async () => (await import('./dmsetup/mangle-command.ts')).addMangleCommand),

  info: dmsetup(async () => (await import('./dmsetup/info-command.ts')).addInfoCommand),
  ls: dmsetup(async () => (await import('./dmsetup/ls-command.ts')).addLsCommand),
  deps: dmsetup(async () => (await import('./dmsetup/deps-command.ts')).addDepsCommand),
  table: dmsetup(async () => (await import('./dmsetup/table-command.ts')).addTableCommand),
  status: dmsetup(async () => (await import('./dmsetup/status-command.ts')).addStatusCommand),
  wait: dmsetup(async () => (await import('./dmsetup/wait-command.ts')).addWaitCommand),
  measure: dmsetup(async () => (await import('./dmsetup/measure-command.ts')).addMeasureCommand),
  targets: dmsetup(async () => (await import('./dmsetup/targets-command.ts')).addTargetsCommand),
  'target-version': dmsetup(
    async () => (await import('./dmsetup/target-version-command.ts')).addTargetVersionCommand,
  ),
  version: dmsetup(async () => (await import('./dmsetup/version-command.ts')).addVersionCommand),
  stats: dmsetup(async () => (await import('./stats/stats-command.ts')).addStatsCommand),

  mknodes: dmsetup(async () => (await import('./dmsetup/mknodes-command.ts')).addMknodesCommand),
  udevcreatecookie: dmsetup(
    async () => (await import('./dmsetup/udev-commands.ts')).addUdevCreateCookieCommand,
  ),
  udevreleasecookie: dmsetup(
    async () => (await import('./dmsetup/udev-commands.ts')).addUdevReleaseCookieCommand,
  ),
  udevflags: dmsetup(async () => (await import('./dmsetup/udev-commands.ts')).addUdevFlagsCommand),
  udevcomplete: dmsetup(
    async () => (await import('./dmsetup/udev-commands.ts')).addUdevCompleteCommand,
  ),
  udevcomplete_all: dmsetup(
    async () => (await import('./dmsetup/udev-commands.ts')).addUdevCompleteAllCommand,
  ),
  udevcookies: dmsetup(
    async () => (await import('./dmsetup/udev-commands.ts')).addUdevCookiesCommand,
  ),

  devices: dmsetup(async () => (await import('./devices-command.ts')).addDevicesCommand),
  watch: { load: async () => (await import('./watch-command.ts')).addWatchCommand },

  key: { load: async () => (await import('./key-command.ts')).addKeyCommand },
  luks: {
    run: async () => (await import('./luks/run.ts')).runLuks,
    load: async () => (await import('./luks/luks-command.ts')).addLuksCommand,
  },

  replay: { load: async () => (await import('./replay/replay-command.ts')).addReplayCommand },

  mount: { load: async () => (await import('./mount-command.ts')).addMountCommand },
  umount: { load: async () => (await import('./mount-command.ts')).addUmountCommand },

  exec: { load: async () => (await import('./exec-command.ts')).addExecCommand },
  shell: { load: async () => (await import('./exec-command.ts')).addShellCommand },

  crashtest: {
    load: async () => (await import('./crashtest/crashtest-command.ts')).addCrashtestCommand,
  },

  completion: {
    wantsAll: true,
    load: async () => (await import('./completion/completion-command.ts')).addCompletionCommand,
  },
};
