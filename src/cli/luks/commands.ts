/** Every command of `devmapper luks` with cryptsetup's names for it, which are accepted too. A file is loaded when its command runs, or for the help. */

import type { LuksCommand } from './command.ts';

export interface LuksEntry {
  aliases: readonly string[];
  load(): Promise<LuksCommand>;
}

/** In the order of the help. */
export const LUKS_COMMANDS: Readonly<Record<string, LuksEntry>> = {
  format: {
    aliases: ['luksFormat'],
    load: async () => (await import('./format-command.ts')).formatCommand,
  },
  open: {
    aliases: ['luksOpen', 'create'],
    load: async () => (await import('./open-command.ts')).openCommand,
  },
  close: {
    aliases: ['luksClose', 'remove'],
    load: async () => (await import('./close-command.ts')).closeCommand,
  },
  status: {
    aliases: [],
    load: async () => (await import('./status-command.ts')).statusCommand,
  },
  dump: {
    aliases: ['luksDump'],
    load: async () => (await import('./dump-command.ts')).dumpCommand,
  },
  'is-luks': {
    aliases: ['isLuks'],
    load: async () => (await import('./is-luks-command.ts')).isLuksCommand,
  },
  uuid: {
    aliases: ['luksUUID'],
    load: async () => (await import('./uuid-command.ts')).uuidCommand,
  },
  'add-key': {
    aliases: ['luksAddKey'],
    load: async () => (await import('./add-key-command.ts')).addKeyCommand,
  },
  'change-key': {
    aliases: ['luksChangeKey'],
    load: async () => (await import('./change-key-command.ts')).changeKeyCommand,
  },
  'convert-key': {
    aliases: ['luksConvertKey'],
    load: async () => (await import('./convert-key-command.ts')).convertKeyCommand,
  },
  'remove-key': {
    aliases: ['luksRemoveKey'],
    load: async () => (await import('./remove-key-command.ts')).removeKeyCommand,
  },
  'kill-slot': {
    aliases: ['luksKillSlot'],
    load: async () => (await import('./kill-slot-command.ts')).killSlotCommand,
  },
  erase: {
    aliases: ['luksErase'],
    load: async () => (await import('./erase-command.ts')).eraseCommand,
  },
  config: {
    aliases: [],
    load: async () => (await import('./config-command.ts')).configCommand,
  },
  token: {
    aliases: [],
    load: async () => (await import('./token-command.ts')).tokenCommand,
  },
  'header-backup': {
    aliases: ['luksHeaderBackup'],
    load: async () => (await import('./header-backup-command.ts')).headerBackupCommand,
  },
  'header-restore': {
    aliases: ['luksHeaderRestore'],
    load: async () => (await import('./header-restore-command.ts')).headerRestoreCommand,
  },
  repair: {
    aliases: [],
    load: async () => (await import('./repair-command.ts')).repairCommand,
  },
  convert: {
    aliases: [],
    load: async () => (await import('./convert-command.ts')).convertCommand,
  },
  reencrypt: {
    aliases: [],
    load: async () => (await import('./reencrypt-command.ts')).reencryptCommand,
  },
  benchmark: {
    aliases: [],
    load: async () => (await import('./benchmark-command.ts')).benchmarkCommand,
  },
};

/** By its name, or by one of cryptsetup's. */
export function findLuksCommand(name: string): LuksEntry | undefined {
  if (Object.hasOwn(LUKS_COMMANDS, name)) return LUKS_COMMANDS[name];
  return Object.values(LUKS_COMMANDS).find(({ aliases }) => aliases.includes(name));
}
