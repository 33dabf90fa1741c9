/**
 * Ioctls, good and bad, one after the other on one mapper: what a real kernel answers, ours must too, byte for byte.
 * Disks are 7:0 and 7:1 of 1 MiB each.
 */

import { Command, Flag, IOCTL_BASE } from '../../src/control/protocol/commands.ts';
import { encodeDeviceNumber } from '../../src/control/protocol/device-number.ts';
import { PAYLOAD_START } from '../../src/control/protocol/header.ts';
import { encodeRequest, type RequestFields } from '../../src/control/protocol/messages.ts';
import { encodeMessage, encodeText } from '../../src/control/protocol/strings.ts';
import { encodeTable } from '../../src/control/protocol/target-rows.ts';
import { parseTable } from '../../src/core/table-text.ts';

/** What the kernel of the tests gives to the device mapper; ours is made to use the same. */
export const KERNEL_MAJOR = 253;

export interface IoctlCase {
  what: string;
  /** An ioctl's number, or something done to a device's node by its minor number. */
  action: { ioctl: number } | { open: number } | 'close';
  memory: Uint8Array;
  /** Why the answer may differ; only the errno is compared then, or nothing. */
  differs?: { reason: string; compare: 'errno' | 'nothing' };
}

const DATA_BYTES = 16_384;

interface CaseOptions extends RequestFields {
  /** Changes the bytes after they are made. */
  edit?: (bytes: Buffer) => void;
  /** How much memory there is; default: as much as data_size says. */
  memoryBytes?: number;
  ioctl?: number;
  differs?: IoctlCase['differs'];
}

type CommandName = keyof typeof Command;

function ioctl(what: string, name: CommandName, options: CaseOptions = {}): IoctlCase {
  const { edit, memoryBytes, differs, ioctl: number, ...fields } = options;
  const dataSizeBytes = fields.dataSizeBytes ?? DATA_BYTES;
  const request = encodeRequest({ ...fields, dataSizeBytes });
  const memory = Buffer.alloc(memoryBytes ?? Math.max(dataSizeBytes, request.length));
  memory.set(request.subarray(0, memory.length));
  edit?.(memory);
  return {
    what: `${name}: ${what}`,
    action: { ioctl: number ?? IOCTL_BASE + Command[name] },
    memory,
    ...(differs && { differs }),
  };
}

const open = (minor: number): IoctlCase => ({
  what: `open minor ${minor}`,
  action: { open: minor },
  memory: Buffer.from(`/dev/dm-${minor}`),
});

const close: IoctlCase = { what: 'close', action: 'close', memory: new Uint8Array(0) };

function load(what: string, name: string, table: string, options: CaseOptions = {}): IoctlCase {
  const rows = parseTable(table);
  const fields = { name, targetCount: rows.length, payload: encodeTable(rows) };
  return ioctl(what, 'tableLoad', { ...fields, ...options });
}

function message(
  what: string,
  name: string,
  text: string,
  options: CaseOptions & { sector?: number } = {},
): IoctlCase {
  const { sector = 0, ...rest } = options;
  return ioctl(what, 'targetMessage', { name, payload: encodeMessage(sector, text), ...rest });
}

function rename(what: string, name: string, text: string, options: CaseOptions = {}): IoctlCase {
  return ioctl(what, 'deviceRename', { name, payload: encodeText(text), ...options });
}

function geometry(text: string, options: CaseOptions = {}): IoctlCase {
  const payload = encodeText(text);
  return ioctl(JSON.stringify(text), 'deviceSetGeometry', { name: 'b', payload, ...options });
}

const u32 = (offset: number, value: number) => (bytes: Buffer) => {
  bytes.writeUInt32LE(value, offset);
};
const number = (minor: number, major = KERNEL_MAJOR) => ({ major, minor });
const SECTOR = PAYLOAD_START;
const NEXT = PAYLOAD_START + 20;
const TYPE = PAYLOAD_START + 24;

const frame: IoctlCase[] = [
  ioctl('plain', 'version'),
  ioctl('of another major version', 'version', { edit: u32(0, 3) }),
  ioctl('of a later major version', 'listDevices', { edit: u32(0, 5) }),
  ioctl('of a newer minor version', 'listDevices', { edit: u32(4, 99) }),
  ioctl('of a newer patch', 'version', { edit: u32(8, 99) }),
  ioctl('data_size is not looked at', 'version', { edit: u32(12, 1) }),
  ioctl('unknown command', 'version', { ioctl: IOCTL_BASE + 18 }),
  ioctl('last command number', 'version', { ioctl: IOCTL_BASE + 255 }),
  ioctl('unknown command of a wrong version', 'version', {
    ioctl: IOCTL_BASE + 99,
    edit: u32(0, 9),
  }),
  ioctl('another type of ioctl', 'version', { ioctl: 0xc138fc00 }),
  ioctl('size in the number is not looked at', 'version', { ioctl: 0xfd00 }),
  ioctl('memory for the version only', 'version', { memoryBytes: 12 }),
  ioctl('memory below the version', 'version', { memoryBytes: 8 }),
  ioctl('memory below the header', 'deviceStatus', { memoryBytes: 304 }),
  ioctl('data_size below the header', 'deviceStatus', { edit: u32(12, 304) }),
  ioctl('data_size 0', 'tableStatus', { edit: u32(12, 0) }),
  ioctl('data_size too large', 'tableStatus', { edit: u32(12, 2 ** 30 + 1) }),
  ioctl('data_size too large for the header only', 'deviceStatus', { edit: u32(12, 2 ** 31) }),
  ioctl('without a device', 'deviceStatus'),
  ioctl('of an unknown name', 'deviceStatus', { name: 'nobody' }),
  ioctl('of an unknown uuid', 'deviceStatus', { uuid: 'nobody' }),
  ioctl('of an unknown number', 'deviceStatus', { number: number(77) }),
  ioctl('of a foreign number', 'deviceStatus', { number: { major: 7, minor: 0 } }),
  ioctl('secure, of an unknown name', 'tableStatus', { name: 'nobody', flags: Flag.secureData }),
  ioctl('secure, of an unknown name', 'deviceStatus', { name: 'nobody', flags: Flag.secureData }),
  ioctl('nothing yet', 'listDevices'),
  ioctl('nothing yet, no room', 'listDevices', { dataSizeBytes: 312 }),
  ioctl('nothing yet, room of 8', 'listDevices', { dataSizeBytes: 320 }),
];

const creation: IoctlCase[] = [
  ioctl('without a name', 'deviceCreate'),
  ioctl('with a slash', 'deviceCreate', { name: 'a/b' }),
  ioctl('.', 'deviceCreate', { name: '.' }),
  ioctl('..', 'deviceCreate', { name: '..' }),
  ioctl('control', 'deviceCreate', { name: 'control' }),
  ioctl('b', 'deviceCreate', { name: 'b' }),
  ioctl('the name again', 'deviceCreate', { name: 'b' }),
  ioctl('a, with a uuid', 'deviceCreate', { name: 'a', uuid: 'UUID-a' }),
  ioctl('the uuid again', 'deviceCreate', { name: 'c', uuid: 'UUID-a' }),
  ioctl('a number', 'deviceCreate', { name: 'n', number: number(9), flags: Flag.persistentDev }),
  ioctl('the number again', 'deviceCreate', {
    name: 'm',
    number: number(9),
    flags: Flag.persistentDev,
  }),
  ioctl('name and number in use', 'deviceCreate', {
    name: 'b',
    number: number(9),
    flags: Flag.persistentDev,
  }),
  ioctl('another major number', 'deviceCreate', {
    name: 'o',
    number: number(300, 7),
    flags: Flag.persistentDev,
  }),
  ioctl('dev without the flag', 'deviceCreate', { name: 'p', number: number(50) }),
  ioctl('flags of no meaning stay', 'deviceCreate', {
    name: 'q',
    flags: Flag.exists | Flag.skipBdget | Flag.inactivePresent | 0x40000000,
  }),
  ioctl('name of 127 bytes, without a NUL', 'deviceCreate', {
    edit: (bytes) => bytes.fill('x', 48, 176),
  }),
  ioctl('the same with a NUL', 'deviceStatus', { name: 'x'.repeat(127) }),
  ioctl('blank name', 'deviceCreate', { name: ' ' }),
  ioctl('name in UTF-8', 'deviceCreate', { name: 'äöü€' }),
  ioctl('all', 'listDevices'),
  ioctl('all with uuids', 'listDevices', { flags: Flag.uuid }),
  ioctl('by a prefix', 'listDevices', { name: 'x' }),
  ioctl('by a prefix of uuids', 'listDevices', { uuid: 'UUID', flags: Flag.uuid }),
  ioctl('by both prefixes', 'listDevices', { uuid: 'UUID', name: 'b' }),
  ioctl('too little room', 'listDevices', { dataSizeBytes: 400 }),
  ioctl('remove the long one', 'deviceRemove', { name: 'x'.repeat(127) }),
  ioctl('remove the blank one', 'deviceRemove', { name: ' ' }),
  ioctl('remove o', 'deviceRemove', { name: 'o' }),
  ioctl('remove p', 'deviceRemove', { name: 'p' }),
  ioctl('remove q', 'deviceRemove', { number: number(2) }),
  ioctl('remove what is gone', 'deviceRemove', { name: 'q' }),
];

const naming: IoctlCase[] = [
  ioctl('by name', 'deviceStatus', { name: 'a' }),
  ioctl('by uuid', 'deviceStatus', { uuid: 'UUID-a' }),
  ioctl('by number', 'deviceStatus', { number: number(1) }),
  ioctl('by name and uuid', 'deviceStatus', { name: 'a', uuid: 'UUID-a' }),
  ioctl('by name and number', 'deviceStatus', { name: 'a', number: number(1) }),
  ioctl('by uuid and number', 'deviceStatus', { uuid: 'UUID-a', number: number(1) }),
  ioctl('by a number with high bits', 'deviceStatus', {
    edit: (bytes) => {
      bytes.writeUInt32LE(encodeDeviceNumber(number(1)), 40);
      bytes.writeUInt32LE(1, 44);
    },
  }),
  ioctl('inactive asked for', 'deviceStatus', { name: 'a', flags: Flag.queryInactiveTable }),
  ioctl('flags of the answer are set anew', 'deviceStatus', {
    name: 'a',
    flags: Flag.suspend | Flag.readOnly | Flag.activePresent | Flag.inactivePresent,
  }),
  ioctl('deferred flag of the request stays', 'deviceStatus', {
    name: 'a',
    flags: Flag.deferredRemove,
  }),
  ioctl('reply flags of the request go', 'deviceStatus', {
    name: 'a',
    flags: Flag.bufferFull | Flag.dataOut | Flag.ueventGenerated | Flag.internalSuspend,
  }),
  rename('to nothing', 'a', ''),
  rename('with a slash', 'a', 'x/y'),
  rename('to a reserved name', 'a', 'control'),
  rename('to its own name', 'a', 'a'),
  rename('to a name in use', 'a', 'b'),
  rename('to 128 bytes', 'a', 'z'.repeat(128)),
  rename('of nobody', 'nobody', 'x'),
  rename('of nobody to a name in use', 'nobody', 'b'),
  rename('of a uuid', '', 'x', { uuid: 'UUID-a' }),
  rename('without a NUL', 'a', '', {
    dataSizeBytes: 320,
    edit: (bytes) => bytes.fill('n', 312, 320),
  }),
  rename('that begins behind the end', 'a', 'x', { edit: u32(16, DATA_BYTES) }),
  rename('that begins in the header', 'a', 'x', { edit: u32(16, 304) }),
  rename('that begins right behind the header', 'a', '', {
    edit: (bytes) => {
      bytes.writeUInt32LE(305, 16);
      bytes.write('a2', 305);
    },
  }),
  rename('back', 'a2', 'a'),
  rename('of a uuid that is set', 'a', 'UUID-2', { flags: Flag.uuid }),
  rename('to a uuid in use', 'b', 'UUID-a', { flags: Flag.uuid }),
  rename('to a uuid of 129 bytes', 'b', 'u'.repeat(129), { flags: Flag.uuid }),
  rename('to a first uuid', 'b', 'UUID/b', { flags: Flag.uuid }),
  ioctl('by the new uuid', 'deviceStatus', { uuid: 'UUID/b' }),
];

const TWO_ROWS = '0 8 linear 7:0 0\n8 16 linear 7:1 8';

const tables: IoctlCase[] = [
  ioctl('of no table', 'tableStatus', { name: 'b' }),
  ioctl('of no table', 'tableDeps', { name: 'b' }),
  ioctl('of no table', 'tableClear', { name: 'b' }),
  ioctl('resume without a table', 'deviceSuspend', { name: 'b' }),
  ioctl('suspend without a table', 'deviceSuspend', { name: 'b', flags: Flag.suspend }),
  ioctl('suspend again', 'deviceSuspend', { name: 'b', flags: Flag.suspend }),
  ioctl('resume without a table, suspended', 'deviceSuspend', { name: 'b' }),
  load('no rows', 'b', '', { targetCount: 0 }),
  load('of nobody', 'nobody', TWO_ROWS),
  load('too many rows', 'b', TWO_ROWS, { targetCount: 0x100001 }),
  load('more rows than there are', 'b', TWO_ROWS, { targetCount: 3 }),
  load('rows that overlap the header', 'b', TWO_ROWS, { edit: u32(16, 304) }),
  load('rows behind the end', 'b', TWO_ROWS, { edit: u32(16, DATA_BYTES - 40) }),
  load('rows far behind the end', 'b', TWO_ROWS, { edit: u32(16, 0xfffffff8) }),
  load('rows not aligned', 'b', TWO_ROWS, { edit: u32(16, 316) }),
  load('next row inside this', 'b', TWO_ROWS, { edit: u32(NEXT, 40) }),
  load('next row behind the end', 'b', TWO_ROWS, { edit: u32(NEXT, DATA_BYTES) }),
  load('next row not aligned', 'b', TWO_ROWS, { edit: u32(NEXT, 52) }),
  load('arguments without a NUL', 'b', '0 8 zero', {
    dataSizeBytes: 360,
    edit: (bytes) => bytes.fill('x', 352, 360),
  }),
  load('unknown type', 'b', '0 8 nothing'),
  load('type without a NUL', 'b', '0 8 zero', {
    edit: (bytes) => bytes.fill('z', TYPE, TYPE + 16),
  }),
  load('gap', 'b', '8 8 zero'),
  load('no length', 'b', '0 0 zero'),
  load('a start of 64 bits', 'b', '0 8 zero', {
    edit: (bytes) => bytes.fill(255, SECTOR, SECTOR + 8),
  }),
  load('bad arguments', 'b', '0 8 linear 7:0'),
  load('good row, bad row', 'b', '0 8 zero\n8 8 linear 7:0 x'),
  load('no such disk', 'b', '0 8 linear 7:99 0', {
    differs: { reason: 'test disks word a missing disk otherwise', compare: 'nothing' },
  }),
  load('disk too small', 'b', '0 4096 linear 7:0 0'),
  load('bad, secure', 'b', '0 8 linear 7:0', { flags: Flag.secureData }),
  ioctl('nothing was loaded', 'deviceStatus', { name: 'b' }),
  load('good, secure', 'b', '0 8 zero', { flags: Flag.secureData }),
  load('good', 'b', TWO_ROWS),
  ioctl('live, not there', 'tableStatus', { name: 'b' }),
  ioctl('inactive', 'tableStatus', { name: 'b', flags: Flag.queryInactiveTable }),
  ioctl('inactive table', 'tableStatus', {
    name: 'b',
    flags: Flag.queryInactiveTable | Flag.statusTable,
  }),
  ioctl('inactive', 'tableDeps', { name: 'b', flags: Flag.queryInactiveTable }),
  ioctl('live, not there', 'tableDeps', { name: 'b' }),
  ioctl('clear', 'tableClear', { name: 'b' }),
  load('again', 'b', TWO_ROWS),
  ioctl('resume', 'deviceSuspend', { name: 'b' }),
  ioctl('resume again', 'deviceSuspend', { name: 'b' }),
  ioctl('live', 'tableStatus', { name: 'b' }),
  ioctl('live table', 'tableStatus', { name: 'b', flags: Flag.statusTable | Flag.noflush }),
  ioctl('live table, secure', 'tableStatus', {
    name: 'b',
    flags: Flag.statusTable | Flag.secureData,
  }),
  ioctl('secure', 'deviceStatus', { name: 'b', flags: Flag.secureData }),
  ...[312, 320, 352, 353, 354, 360, 361, 362, 400, 401, 402, 408, 409].flatMap((dataSizeBytes) => [
    ioctl(`room of ${dataSizeBytes}`, 'tableStatus', { name: 'b', dataSizeBytes }),
    ioctl(`table, room of ${dataSizeBytes}`, 'tableStatus', {
      name: 'b',
      dataSizeBytes,
      flags: Flag.statusTable,
    }),
  ]),
  ioctl('live', 'tableDeps', { name: 'b' }),
  ioctl('room for the count', 'tableDeps', { name: 'b', dataSizeBytes: 320 }),
  ioctl('just enough room', 'tableDeps', { name: 'b', dataSizeBytes: 336 }),
  rename('raises the event number', 'b', 'bb'),
  rename('and again', 'bb', 'b'),
  ioctl('event 0 is over', 'deviceWait', { name: 'b', eventNumber: 0 }),
  ioctl('event 99 is not the present one', 'deviceWait', {
    name: 'b',
    eventNumber: 99,
    flags: Flag.statusTable,
  }),
  ioctl('of nobody', 'deviceWait', { name: 'nobody' }),
  ioctl('suspend', 'deviceSuspend', { name: 'b', flags: Flag.suspend | Flag.noflush }),
  ioctl('suspended', 'deviceStatus', { name: 'b' }),
  load('read-only', 'b', '0 24 linear 7:0 0', { flags: Flag.readOnly }),
  ioctl('inactive asked for', 'deviceStatus', { name: 'b', flags: Flag.queryInactiveTable }),
  ioctl('resume with skip_lockfs', 'deviceSuspend', { name: 'b', flags: Flag.skipLockfs }),
  ioctl('read-only now', 'deviceStatus', { name: 'b' }),
  load('at once, without suspending', 'b', '0 2048 striped 2 64 7:0 0 7:1 0'),
  ioctl('swap', 'deviceSuspend', { name: 'b', flags: Flag.noflush }),
  ioctl('striped', 'tableStatus', { name: 'b' }),
  ioctl('striped table', 'tableStatus', { name: 'b', flags: Flag.statusTable }),
  ioctl('striped measured', 'tableStatus', {
    name: 'b',
    flags: Flag.imaMeasurement,
    differs: { reason: 'the version of striped is in it', compare: 'errno' },
  }),
  ioctl('striped, table wins over measurement', 'tableStatus', {
    name: 'b',
    flags: Flag.imaMeasurement | Flag.statusTable,
  }),
];

const words: IoctlCase[] = [
  message('without words', 'b', ''),
  message('blanks only', 'b', '  '),
  message('a target that takes none', 'b', 'hello'),
  message('behind the end', 'b', 'hello', { sector: 2048 }),
  message('of nobody', 'nobody', 'hello'),
  message('to a device without a table', 'a', 'hello'),
  message('unknown to the core', 'b', '@nothing'),
  message('unknown statistics', 'b', '@stats_nothing'),
  message('list of statistics', 'b', '@stats_list'),
  message('secure', 'b', 'hello', { flags: Flag.secureData }),
  message('list of statistics, secure', 'b', '@stats_list', { flags: Flag.secureData }),
  message('cancel', 'b', '@cancel_deferred_remove'),
  message('cancel in capitals', 'b', '@CANCEL_DEFERRED_REMOVE'),
  message('cancel with more', 'b', '@cancel_deferred_remove now'),
  message('cancel without a table', 'a', '@cancel_deferred_remove'),
  message('without a NUL', 'b', 'xxxxx', {
    dataSizeBytes: 328,
    edit: (bytes) => bytes.fill('x', 320, 328),
  }),
  message('that begins in the header', 'b', 'hello', { edit: u32(16, 300) }),
  message('that begins behind the end', 'b', 'hello', { edit: u32(16, DATA_BYTES) }),
  message('new statistics', 'b', '@stats_create - /2'),
  message('their list, no room', 'b', '@stats_list', { dataSizeBytes: 336 }),
  message('their list', 'b', '@stats_list'),
  geometry('1 2 3 4'),
  geometry('1 2 3 4 '),
  geometry(' 1  2\t3 4'),
  geometry('1 2 3'),
  geometry('1 2 3 x'),
  geometry(''),
  geometry('65536 1 1 0'),
  geometry('65535 255 255 0'),
  geometry('1 256 1 0'),
  geometry('1 1 256 0'),
  geometry('1 2 3 6'),
  geometry('1 2 3 7'),
  geometry('0 0 0 0'),
  geometry('-1 2 3 0'),
  geometry('+1 2 3 0'),
  geometry('1 2 3 4', { name: 'nobody' }),
  geometry('1 2 3 4', { name: 'a' }),
  geometry('1 2 3 4', { edit: u32(16, 304) }),
];

const lists: IoctlCase[] = [
  ioctl('no room', 'listVersions', { dataSizeBytes: 320 }),
  ioctl('nobody', 'targetVersion', { name: 'nothing' }),
  ioctl('no name', 'targetVersion'),
  ioctl('zero', 'targetVersion', { name: 'zero' }),
  ioctl('zero, no room', 'targetVersion', { name: 'zero', dataSizeBytes: 339 }),
  ioctl('zero, just enough room', 'targetVersion', { name: 'zero', dataSizeBytes: 340 }),
  ioctl('without a NUL', 'targetVersion', { edit: (bytes) => bytes.fill('z', 48, 176) }),
  ioctl('arm', 'deviceArmPoll'),
  ioctl('arm with a name and a uuid', 'deviceArmPoll', { name: 'a', uuid: 'UUID-a' }),
];

const ends: IoctlCase[] = [
  open(0),
  ioctl('open count', 'deviceStatus', { name: 'b' }),
  ioctl('while open', 'deviceRemove', { name: 'b' }),
  ioctl('deferred while open', 'deviceRemove', { name: 'b', flags: Flag.deferredRemove }),
  ioctl('deferred', 'deviceStatus', { name: 'b' }),
  ioctl('deferred again', 'deviceRemove', { name: 'b', flags: Flag.deferredRemove }),
  message('cancel', 'b', '@cancel_deferred_remove'),
  ioctl('not deferred any more', 'deviceStatus', { name: 'b' }),
  load('a stands on b', 'a', '0 8 linear 253:0 0'),
  ioctl('b is open twice', 'deviceStatus', { name: 'b' }),
  ioctl('a runs', 'deviceSuspend', { name: 'a' }),
  ioctl('of a', 'tableDeps', { uuid: 'UUID-a' }),
  load('b on a is a loop', 'b', '0 8 linear 253:1 0', {
    differs: {
      reason: 'the kernel takes a table that makes a loop and then runs out of stack',
      compare: 'nothing',
    },
  }),
  ioctl('drop the loop', 'tableClear', { name: 'b' }),
  load('a shrinks b below itself', 'b', '0 4 linear 7:0 0'),
  ioctl('b resumes, smaller', 'deviceSuspend', { name: 'b' }),
  load('a on the same', 'a', '0 4 linear 253:0 0'),
  ioctl('a resumes, smaller', 'deviceSuspend', { name: 'a' }),
  load('a fits now', 'a', '0 4 linear 253:0 0'),
  load('b shrinks', 'b', '0 2 linear 7:0 0'),
  ioctl('b resumes, smallest', 'deviceSuspend', { name: 'b' }),
  ioctl('a cannot resume', 'deviceSuspend', { name: 'a' }),
  ioctl('a keeps its table', 'deviceStatus', { name: 'a' }),
  ioctl('a shows its old table', 'tableStatus', { name: 'a', flags: Flag.statusTable }),
  ioctl('a resumes with it', 'deviceSuspend', { name: 'a' }),
  ioctl('all, deferred', 'removeAll', { flags: Flag.deferredRemove }),
  ioctl('b is left', 'listDevices', { flags: Flag.uuid }),
  ioctl('b is marked', 'deviceStatus', { name: 'b' }),
  close,
  ioctl('b went', 'deviceStatus', { name: 'b' }),
  ioctl('suspended', 'deviceCreate', { name: 's' }),
  load('s', 's', '0 8 zero'),
  ioctl('s', 'deviceSuspend', { name: 's' }),
  ioctl('s', 'deviceSuspend', { name: 's', flags: Flag.suspend }),
  load('s has both', 's', '0 8 error'),
  ioctl('suspended, with two tables', 'deviceRemove', { name: 's' }),
  ioctl('nothing left', 'listDevices'),
  ioctl('all of nothing', 'removeAll'),
  ioctl('all of nothing, secure', 'removeAll', { flags: Flag.secureData }),
  ioctl('empty, secure', 'listDevices', { flags: Flag.secureData }),
];

export const ioctlCases: readonly IoctlCase[] = [
  ...frame,
  ...creation,
  ...naming,
  ...tables,
  ...words,
  ...lists,
  ...ends,
];
