/** Which handler a command has, and what is done around it. The order is that of the commands' numbers. */

import { Command } from '../protocol/commands.ts';
import type { IoctlCall } from './call.ts';
import { createDevice, removeAllDevices, removeDevice } from './device-life.ts';
import { setGeometry } from './geometry.ts';
import { listDevices, listVersions, targetVersion } from './lists.ts';
import { sendMessage } from './messages.ts';
import { renameDevice } from './rename.ts';
import { deviceStatus, tableDependencies, tableStatus, waitDevice } from './status.ts';
import { suspendDevice } from './suspend.ts';
import { clearTable, loadTable } from './tables.ts';

export interface CommandEntry {
  /** null: done once the version is checked. */
  run: ((call: IoctlCall) => void | Promise<void>) | null;
  /** Looks at what is behind the header, or answers there. */
  takesPayload: boolean;
  /** `one`: refuses a name together with a uuid. */
  names: 'one' | 'any';
  /** Judges or tells open counts, or what is open exclusively. */
  settles: boolean;
}

const plain = { takesPayload: false, names: 'one', settles: false } as const;
const withPayload = { ...plain, takesPayload: true } as const;

const COMMANDS = new Map<number, CommandEntry>([
  [Command.version, { ...plain, run: null }],
  [Command.removeAll, { ...plain, names: 'any', settles: true, run: removeAllDevices }],
  [Command.listDevices, { ...withPayload, names: 'any', run: listDevices }],
  [Command.deviceCreate, { ...plain, names: 'any', run: createDevice }],
  [Command.deviceRemove, { ...plain, settles: true, run: removeDevice }],
  [Command.deviceRename, { ...withPayload, run: renameDevice }],
  [Command.deviceSuspend, { ...plain, run: suspendDevice }],
  [Command.deviceStatus, { ...plain, settles: true, run: deviceStatus }],
  [Command.deviceWait, { ...withPayload, run: waitDevice }],
  [Command.tableLoad, { ...withPayload, settles: true, run: loadTable }],
  [Command.tableClear, { ...plain, run: clearTable }],
  [Command.tableDeps, { ...withPayload, run: tableDependencies }],
  [Command.tableStatus, { ...withPayload, settles: true, run: tableStatus }],
  [Command.listVersions, { ...withPayload, names: 'any', run: listVersions }],
  [Command.targetMessage, { ...withPayload, run: sendMessage }],
  [Command.deviceSetGeometry, { ...withPayload, run: setGeometry }],
  [Command.deviceArmPoll, { ...plain, run: armPoll }],
  [Command.targetVersion, { ...withPayload, run: targetVersion }],
]);

export function findCommand(number: number): CommandEntry | null {
  return COMMANDS.get(number) ?? null;
}

/** From now on poll reports what comes after this moment. */
function armPoll({ session, mapper }: IoctlCall): void {
  session.armedEventNumber = mapper.globalEventNumber;
}
