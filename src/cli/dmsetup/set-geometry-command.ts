/** `devmapper setgeometry`. */

import { DmError } from '../../base/errors.ts';
import {
  addDmsetupCommand,
  type CommandHost,
  DEVICE_OPTIONS,
  type Invocation,
  wrongOperands,
} from './command.ts';
import { withClient } from './connect.ts';
import { deviceArgument, optionDevice } from './device-argument.ts';
import { request } from './failure.ts';

const HELP = `
Examples:
  devmapper setgeometry disk 1024 255 63 0    cylinders, heads, sectors of a track, first sector
`;

const WORDS = { name: 'setgeometry', usage: '<device> <cyl> <head> <sect> <start>' };

export function addSetGeometryCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    ...WORDS,
    summary: 'set what a device tells of cylinders, heads and sectors',
    operands: [4, 5],
    options: [...DEVICE_OPTIONS],
    help: HELP,
    run: setGeometry,
  });
}

async function setGeometry({ operands, options }: Invocation): Promise<void> {
  const named = operands.length === 4 ? optionDevice(options) : null;
  if (named === null && operands.length < 5) throw wrongOperands(WORDS);
  const [name, ...numbers] = named === null ? operands : ['', ...operands];
  await withClient(options, async (client) => {
    const device = named ?? (await deviceArgument(client, name ?? '', options));
    await request('setgeometry', device, () => client.setGeometry(device, parseGeometry(numbers)));
  });
}

function parseGeometry(words: readonly string[]) {
  const [cylinders = NaN, heads = NaN, sectors = NaN, start = NaN] = words.map((word) =>
    /^\d{1,15}$/.test(word) ? Number(word) : NaN,
  );
  if ([cylinders, heads, sectors, start].some(Number.isNaN)) {
    const expected = 'expected four numbers: cylinders, heads, sectors, start';
    throw new DmError('EINVAL', `Invalid geometry "${words.join(' ')}": ${expected}`);
  }
  return { cylinders, heads, sectors, start };
}
