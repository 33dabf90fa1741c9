/** `devmapper splitname`: takes an LVM name apart. */

import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { openDeviceReport } from './device-report.ts';
import { commandFailed } from './failure.ts';
import { SPLIT_FIELDS } from './info-fields.ts';
import { manglingMode } from './mangle.ts';
import { printJson } from './print.ts';
import { REPORT_OPTIONS } from './report-options.ts';

const HELP = `
The options of reports are those of "devmapper info -c"; docs/reports.md explains them.

Examples:
  devmapper splitname vg00-root
  devmapper splitname vg00-root --noheadings -o lv_name
`;

export function addSplitnameCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'splitname',
    usage: '<device> [<subsystem>]',
    summary: 'take the name of an LVM volume apart',
    operands: [1, 2],
    options: [...REPORT_OPTIONS, 'json'],
    help: HELP,
    run: splitName,
  });
}

function splitName({ operands, options }: Invocation): void {
  const [name = '', subsystem = 'LVM'] = operands;
  const columns = 'vg_name,lv_name,lv_layer';
  const report = openDeviceReport({ columns, groupsOfAll: [SPLIT_FIELDS] }, options);
  report.add({ mangling: manglingMode(options), split: { subsystem, name } });
  if (report.failed) throw commandFailed([]);
  if (options.json) printJson(report.objects()[0] ?? {});
  else report.end();
}
