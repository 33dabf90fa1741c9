/** `devmapper version`: in dmsetup's form, since scripts look for its two lines. */

import { packageVersion } from '../version.ts';
import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { request } from './failure.ts';
import { print, printJson } from './print.ts';

/** The dmsetup whose behaviour ours is compared with. */
const DMSETUP_VERSION = '1.02.185';

const HELP = `
The first line names the dmsetup whose behaviour this program has, and the program; the second line the interface of
the device mapper behind it.

Examples:
  devmapper version
  devmapper version --kernel    of this kernel's device mapper
`;

export function addVersionCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'version',
    usage: '',
    summary: 'print the versions of library and driver',
    operands: [0, 0],
    options: ['json'],
    help: HELP,
    run: printVersion,
  });
}

export async function printVersion({ options }: Invocation): Promise<void> {
  const library = `${DMSETUP_VERSION} (devmapper ${packageVersion()})`;
  await withClient(options, async (client) => {
    const driver = (await request('version', {}, () => client.version())).join('.');
    if (options.json) printJson({ library: packageVersion(), dmsetup: DMSETUP_VERSION, driver });
    else print(`Library version:   ${library}\nDriver version:    ${driver}\n`);
  });
}
