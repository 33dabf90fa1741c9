/** `devmapper stats`: dmstats. */

import type { DmClient } from '../../control/client/dm-client.ts';
import {
  addDmsetupCommand,
  type CommandHost,
  DEVICE_OPTIONS,
  type Invocation,
} from '../dmsetup/command.ts';
import { withClient } from '../dmsetup/connect.ts';
import { commandFailed } from '../dmsetup/failure.ts';
import { REPORT_OPTIONS } from '../dmsetup/report-options.ts';
import { printVersion } from '../dmsetup/version-command.ts';
import { updateFilemap } from './filemap.ts';
import { reportStatistics } from './report.ts';
import {
  type Context,
  clear,
  create,
  group,
  printRegions,
  remove,
  ungroup,
} from './subcommands.ts';

const HELP = `
Commands, with dmstats' options:
  create  [--start <start> [--length <length>]] [--areas <number> | --areasize <size>] [--segments] [--bounds <list>]
          [--precise] [--programid <id>] [--userdata <text>] [--alias <name> | --nogroup] [--alldevices | <device>...]
  list    [--allprograms | --programid <id>] [--area] [--region] [--group] [--histogram] [-v] [-o <fields>] [<device>...]
  report  [--interval <seconds>] [--count <number>] [--units <unit>] [--histogram [--relative] | --raw] [<device>...]
  print   [--clear] {--regionid <id> | --allregions} [<device>...]
  clear   {--regionid <id> | --allregions} [<device>...]
  delete  {--regionid <id> | --groupid <id> | --allregions} [--allprograms] {--alldevices | <device>...}
  group   --regions <list> [--alias <name>] {--alldevices | <device>...}
  ungroup --groupid <id> {--alldevices | <device>...}
  version
Fields: devmapper stats list -o help

Examples:
  devmapper stats create disk                                  count everything that disk does
  devmapper stats create --bounds 1ms,10ms,100ms disk          with a histogram of latencies
  devmapper stats create --segments --alias rows disk          a region for each row of the table, and a group of them
  devmapper stats report --interval 5 disk                     rates, every five seconds
  devmapper stats report --histogram --relative disk
  devmapper stats delete --allregions disk
`;

type Run = (context: Context) => Promise<void> | void;

const SUBCOMMANDS: ReadonlyMap<string, Run> = new Map<string, Run>([
  ['create', create],
  ['delete', remove],
  ['clear', clear],
  ['print', printRegions],
  ['group', group],
  ['ungroup', ungroup],
  ['list', ({ client, invocation, warn }) => reportStatistics(client, invocation, 'list', warn)],
  [
    'report',
    ({ client, invocation, warn }) => reportStatistics(client, invocation, 'report', warn),
  ],
  ['update_filemap', ({ invocation: { operands, options } }) => updateFilemap(operands, options)],
]);

export function addStatsCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'stats',
    usage: '<command> [<options>] [<device>...]',
    summary: 'count the I/O of devices, or of regions of them',
    operands: [1, Number.POSITIVE_INFINITY],
    options: [
      ...DEVICE_OPTIONS,
      'allprograms',
      'programid',
      'alldevices',
      'allregions',
      'regionid',
      'regions',
      'groupid',
      'alias',
      'nogroup',
      'start',
      'length',
      'areas',
      'areasize',
      'segments',
      'bounds',
      'precise',
      'userdata',
      'filemap',
      'clear',
      'area',
      'region',
      'group',
      'histogram',
      'relative',
      'raw',
      'interval',
      'count',
      'units',
      'notimesuffix',
      ...REPORT_OPTIONS,
      'verbose',
      'json',
    ],
    help: HELP,
    run: runStatistics,
  });
}

async function runStatistics({ operands, options }: Invocation): Promise<void> {
  const [name = '', ...devices] = operands;
  const invocation = { operands: devices, options };
  if (name === 'help') process.stderr.write(HELP.trimStart());
  else if (name === 'version') await printVersion(invocation);
  else await withClient(options, (client) => runSubcommand(client, name, invocation));
}

export async function runSubcommand(
  client: DmClient,
  name: string,
  invocation: Invocation,
): Promise<void> {
  const run = SUBCOMMANDS.get(name);
  if (!run) throw commandFailed(['Unknown stats command.']);
  checkTogether(invocation);
  const warn = (line: string) => process.stderr.write(`${line}\n`);
  await run({ client, invocation, warn });
}

function checkTogether({ options }: Invocation): void {
  if (options.allprograms && options.programid !== undefined)
    throw commandFailed(['Please supply one of --allprograms and --programid']);
  if (options.allregions && options.regionid !== undefined)
    throw commandFailed(['Please supply one of --allregions and --regionid']);
  if (options.follow !== undefined && options.nomonitor)
    throw commandFailed(['Use of --follow is incompatible with --nomonitor.']);
}
