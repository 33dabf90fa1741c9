/** `devmapper mknodes`. */

import { addDmsetupCommand, type CommandHost, DEVICE_OPTIONS, type Invocation } from './command.ts';

const HELP = `
There is nothing to do: a mapped device of ours has no node that a kernel could open. It is a file of its name in
$DEVMAPPER_DIR/mapper as long as "devmapper mount" is up, and an NBD export; both follow the devices by themselves.
Programs that want /dev/mapper/NAME get it from "devmapper exec". The command is accepted, so that scripts go on.

Examples:
  devmapper mknodes -v    say so
`;

const EXPLANATION =
  'devmapper: no nodes are made: "devmapper mount" shows devices as files, "devmapper exec" as /dev/mapper\n';

export function addMknodesCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'mknodes',
    usage: '[<device>...]',
    summary: 'accepted: there are no nodes to make',
    operands: [0, Infinity],
    options: [...DEVICE_OPTIONS, 'verbose'],
    help: HELP,
    run: ({ options }: Invocation) => {
      if (options.verbose) process.stderr.write(EXPLANATION);
    },
  });
}
