/** `devmapper deps`. */

import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { type DeviceNumber, formatDeviceNumber } from '../../core/device.ts';
import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { type BlockNames, deviceWord, openBlockNames } from './deps-names.ts';
import { forEachDevice } from './devices.ts';
import { request } from './failure.ts';
import { readShownName, type ShownName } from './ls-options.ts';
import { manglingMode, unmangle } from './mangle.ts';
import { NO_DEVICES, print, printJson } from './print.ts';
import { printVerbose } from './verbose.ts';

const HELP = `
-o is devno, blkdevname or devname. A file has a number of its own as long as a table uses it; devname shows its path.

Examples:
  devmapper deps disk
  devmapper deps -o devname
  devmapper deps --json disk
`;

export function addDepsCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'deps',
    usage: '[-o <options>] [<device>...]',
    summary: 'print what devices are made of',
    operands: [0, Infinity],
    options: [...DEVICE_OPTIONS, 'options', 'inactive', 'select', 'manglename', 'verbose', 'json'],
    help: HELP,
    run: printDependencies,
  });
}

async function printDependencies(invocation: Invocation): Promise<void> {
  const { options } = invocation;
  const shown = readShownName(options.options);
  const { inactive = false } = options;
  await withClient(options, async (client) => {
    const names =
      shown === 'devno' && !options.json
        ? null
        : await request('names', {}, () => openBlockNames(client));
    const described: object[] = [];
    const visit = async (device: DeviceSelector, { single }: { single: boolean }) => {
      const numbers = await request('deps', device, () =>
        client.dependencies(device, { inactive }),
      );
      const name = await nameOf(client, device);
      const shownName = unmangle(name, 'name', manglingMode(options));
      if (options.json) {
        described.push({ name: shownName, dependencies: await describe(numbers, names!) });
        return;
      }
      await printVerbose(client, device, options);
      const words = await Promise.all(numbers.map((number) => wordFor(number, shown, names)));
      const prefix = single ? '' : `${shownName}: `;
      print(`${prefix}${numbers.length} dependencies\t:${words.join('')}\n`);
    };
    const count = await forEachDevice(client, invocation, visit, { everyDevice: true });
    if (options.json) printJson({ devices: described });
    else if (count === 0) print(NO_DEVICES);
  });
}

async function nameOf(client: DmClient, device: DeviceSelector): Promise<string> {
  return 'name' in device ? device.name : (await client.status(device)).name;
}

async function wordFor(
  number: DeviceNumber,
  shown: ShownName,
  names: BlockNames | null,
): Promise<string> {
  if (names === null) return ` (${number.major}, ${number.minor})`;
  return ` (${await deviceWord(names, shown, number)})`;
}

function describe(numbers: readonly DeviceNumber[], names: BlockNames): Promise<object[]> {
  return Promise.all(
    numbers.map(async (number) => ({
      number: formatDeviceNumber(number),
      name: await names.deviceName(number),
    })),
  );
}
