/** `devmapper devices`: everything the daemon holds — mapped devices, and the files, nodes and URIs at the bottom of them. */

import { readFileSync, statSync } from 'node:fs';
import { formatBytes, sectorsToBytes } from '../base/units.ts';
import type { DmClient } from '../control/client/dm-client.ts';
import type { DeviceDetails, DevicesAnswer, LeafDetails } from '../daemon/devices-method.ts';
import { LockByte } from '../devices/image-lock.ts';
import { addDmsetupCommand, type CommandHost, type Invocation } from './dmsetup/command.ts';
import { withClient } from './dmsetup/connect.ts';
import { daemonDevices } from './dmsetup/daemon-devices.ts';
import { commandFailed, request } from './dmsetup/failure.ts';
import { printable, shownName } from './dmsetup/mangle.ts';
import { NO_DEVICES, print, printJson, REPORT_SINK } from './dmsetup/print.ts';
import { REPORT_OPTIONS, reportOptions } from './dmsetup/report-options.ts';
import {
  type Field,
  type FieldGroup,
  type FieldLine,
  type FieldValue,
  fieldOfLine,
} from './report/field.ts';
import { Report } from './report/report.ts';

const HELP = `
USERS is how often a mapped device is open, or how many times tables use what is below. LOCK is what other programs see of an
image: exclusive for writers, shared for readers.

Examples:
  devmapper devices
  devmapper devices -o +uris -S 'kind=mapped'
  devmapper devices --noheadings --separator ' ' -o number,name
  devmapper devices --json
`;

export function addDevicesCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'devices',
    usage: '[-o <fields>] [-O <sort_fields>] [-S <selection>]',
    summary: 'list mapped devices and what is at the bottom of them',
    operands: [0, 0],
    options: [...REPORT_OPTIONS, 'json'],
    help: HELP,
    run: printDevices,
  });
}

type Row =
  | { kind: 'mapped'; device: DeviceDetails }
  | { kind: 'leaf'; device: LeafDetails; lock: ImageLock };

const GROUP: FieldGroup = { prefix: 'device', title: 'Device' };

const LINES: readonly FieldLine<(row: Row) => FieldValue>[] = [
  ['number', 'NUMBER', 6, 'string', ({ device }) => device.number, 'Major and minor number.'],
  ['kind', 'KIND', 4, 'string', ({ kind }) => kind, 'mapped, or leaf: a file, node or URI.'],
  ['name', 'NAME', 4, 'string', nameOf, 'Name of a mapped device, path or URI of a leaf.'],
  ['size', 'SIZE', 4, 'size', sizeOf, 'Size of the device.'],
  [
    'users',
    'USERS',
    5,
    'number',
    (row) => (row.kind === 'mapped' ? row.device.openCount : row.device.userCount),
    'How often it is open.',
  ],
  ['access', 'ACCESS', 6, 'string', ({ device }) => (device.readOnly ? 'ro' : 'rw'), 'ro or rw.'],
  [
    'lock',
    'LOCK',
    4,
    'string',
    (row) => (row.kind === 'leaf' ? row.lock : ''),
    'Lock on an image: exclusive, shared or none.',
  ],
  [
    'state',
    'STATE',
    5,
    'string',
    (row) => (row.kind === 'mapped' ? stateOf(row.device) : ''),
    'active, suspended or removing.',
  ],
  [
    'uuid',
    'UUID',
    4,
    'string',
    (row) => (row.kind === 'mapped' ? row.device.uuid : ''),
    'Unique (optional) identifier.',
  ],
  [
    'uses',
    'USES',
    4,
    'string list',
    (row) => (row.kind === 'mapped' ? row.device.dependencies : []),
    'Numbers of what it is made of.',
  ],
  [
    'uris',
    'URIS',
    4,
    'string list',
    (row) => (row.kind === 'mapped' ? row.device.uris : []),
    'Where NBD clients find it.',
  ],
];

const FIELDS: readonly Field<Row>[] = LINES.map((line) =>
  fieldOfLine(GROUP, line, (value, row) => value(row)),
);

function nameOf(row: Row): string {
  return printable(row.kind === 'mapped' ? shownName(row.device.name) : row.device.operand);
}

function sizeOf({ device: { sizeSectors } }: Row): FieldValue {
  return { text: formatBytes(sectorsToBytes(sizeSectors)), key: sizeSectors };
}

function stateOf({ suspended, deferredRemove }: DeviceDetails): string {
  if (deferredRemove) return 'removing';
  return suspended ? 'suspended' : 'active';
}

async function printDevices({ options }: Invocation): Promise<void> {
  const columns = 'number,name,size,users,access,lock,state';
  const shape = { fields: FIELDS, groupsOfAll: [GROUP], columns, sort: '' };
  const report = new Report(shape, reportOptions(options), REPORT_SINK);
  if (report.helped) return;
  const { devices, leaves } = await withClient(options, readDevices);
  const locks = readLocks();
  if (options.json) {
    printJson({
      devices: devices.map((device) => ({ ...device, name: shownName(device.name) })),
      leaves: leaves.map((leaf) => ({ ...leaf, lock: lockOf(leaf, locks) })),
    });
    return;
  }
  for (const device of devices) report.add({ kind: 'mapped', device });
  for (const device of leaves) report.add({ kind: 'leaf', device, lock: lockOf(device, locks) });
  if (devices.length + leaves.length === 0) print(NO_DEVICES);
  report.end();
}

async function readDevices(client: DmClient): Promise<DevicesAnswer> {
  if (client.backend === 'kernel') {
    throw commandFailed(['A kernel has no list of its devices: "devmapper ls --kernel --tree".']);
  }
  return await request('devices', {}, () => daemonDevices(client));
}

export type ImageLock = 'exclusive' | 'shared' | 'none' | '';

/** null: this is no Linux. */
function readLocks(): string | null {
  try {
    return readFileSync('/proc/locks', 'utf8');
  } catch {
    return null;
  }
}

function lockOf({ operand }: LeafDetails, locks: string | null): ImageLock {
  if (locks === null || !operand.startsWith('/')) return '';
  try {
    return lockOfInode(locks, statSync(operand).ino);
  } catch {
    return ''; // the file is gone
  }
}

/** Lines of /proc/locks: `1: OFDLCK ADVISORY  READ -1 08:01:1234 100 100`. */
export function lockOfInode(locks: string, inode: number): ImageLock {
  const ranges = locks
    .split('\n')
    .map((line) => /:(\d+) (\d+) (\d+|EOF)$/.exec(line))
    .filter((found) => found !== null && Number(found[1]) === inode)
    .map((found) => ({ first: Number(found![2]), last: Number(found![3]) }));
  const isLocked = (byte: number) =>
    ranges.some(({ first, last }) => first <= byte && (byte <= last || Number.isNaN(last)));
  if (isLocked(LockByte.writer)) return 'exclusive';
  return isLocked(LockByte.reader) ? 'shared' : 'none';
}
