/** `devmapper create`. */

import { readFileSync } from 'node:fs';
import type { ConciseDevice } from '../../control/client/concise.ts';
import type { DmClient } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { createDevice, type NewDevice } from './create-device.ts';
import { newName } from './device-argument.ts';
import { commandFailed } from './failure.ts';
import { mangle, manglingMode } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { parseRows, readRows } from './rows.ts';
import { printVerbose } from './verbose.ts';

/** Of our mapped devices, unless the host uses it. */
const USUAL_MAJOR = 252;

const HELP = `
A table has a row a line, in sectors of 512 bytes: <start> <length> <type> [<arguments>].
"devmapper targets -v" lists the types. A device in a row is the path of a file or a block device, relative to the
current folder if it is not absolute; mapper/NAME or MAJOR:MINOR for a mapped device; mem:SIZE for memory; or an NBD URI.
Without --table, a file or --notable, the table is read from standard input.

The device lives in the daemon; the first one starts it ("devmapper daemon status" shows it).

Examples:
  devmapper create disk --table '0 2048 linear a.img 0'
  devmapper create disk disk.table
  devmapper create pair <<END
  0 2048 linear a.img 0
  2048 4096 linear b.img 0
  END
  devmapper create --concise 'a,,,ro,0 8 zero;b,,,,0 8 linear mapper/a 0'
      two devices; "devmapper table --concise" prints what is there in this form
`;

export function addCreateCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'create',
    usage:
      '<name> [-u <uuid>] [-j <major> -m <minor>] [-r] [--notable|--table <table>|<table_file>]\n       devmapper create --concise [<devices>]',
    summary: 'create a device and load its table',
    operands: [0, 2],
    options: [
      ...DEVICE_OPTIONS,
      'table',
      'notable',
      'readonly',
      'concise',
      'uid',
      'gid',
      'mode',
      'readahead',
      'addnodeonresume',
      'addnodeoncreate',
      'verbose',
    ],
    help: HELP,
    run: (invocation) =>
      invocation.options.concise ? createConcise(invocation) : createOne(invocation),
  });
}

async function createOne({ operands, options }: Invocation): Promise<void> {
  const [name, file] = operands;
  if (name === undefined) throw commandFailed(['Please provide a name for the new device.']);
  const rows = options.notable ? [] : readRows(options, file);
  const { uuid, major, minor, readonly = false } = options;
  const device: NewDevice = {
    name: newName(name, options),
    rows,
    readOnly: readonly,
    ...(uuid !== undefined && { uuid: mangle(uuid, 'UUID', manglingMode(options)) }),
    ...(major !== undefined &&
      minor !== undefined && { number: { major, minor }, goesByNumber: true }),
    readAhead: options.readahead,
  };
  const create = async (client: DmClient) => {
    await createDevice(client, device);
    await printVerbose(client, { name: device.name }, options);
  };
  await withClient(options, create, { start: true });
}

async function createConcise({ operands, options }: Invocation): Promise<void> {
  const { notable, table, minor, uuid, inactive } = options;
  if ((notable ?? table ?? minor ?? uuid ?? inactive) !== undefined) {
    throw commandFailed([
      '--concise is incompatible with --[no]table, --minor, --uuid and --inactive.',
    ]);
  }
  if (operands.length > 1) {
    throw commandFailed(['dmsetup create --concise takes at most one argument']);
  }
  const text = operands[0] ?? readFileSync(0, 'utf8');
  const { parseConcise } = await import('../../control/client/concise.ts');
  const create = (client: DmClient) =>
    conciseErrors(async () => {
      for (const device of parseConcise(text)) await createFrom(client, device, options);
    });
  await withClient(options, create, { start: true });
}

/** The mistakes of the text, in dmsetup's words. */
async function conciseErrors(run: () => Promise<void>): Promise<void> {
  const { ConciseError } = await import('../../control/client/concise.ts');
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ConciseError)) throw error;
    const details = error.details === null ? [] : [error.details];
    throw commandFailed([error.message, ...details], error);
  }
}

async function createFrom(
  client: DmClient,
  { name, uuid, minor, readOnly, table }: ConciseDevice,
  options: DmsetupOptions,
): Promise<void> {
  const rows = parseRows(table, '');
  await createDevice(client, {
    name: newName(name, options),
    rows,
    readOnly: readOnly || (options.readonly ?? false),
    ...(uuid !== '' && { uuid: mangle(uuid, 'UUID', manglingMode(options)) }),
    ...(minor !== null && { number: { major: await mappedMajor(client), minor } }),
    readAhead: options.readahead,
  });
}

/** Only messages show it: a request to create counts its minor number alone. */
async function mappedMajor(client: DmClient): Promise<number> {
  const [first] = await client.list();
  return first?.number.major ?? USUAL_MAJOR;
}
