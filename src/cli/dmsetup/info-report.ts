/** `devmapper info -c`. */

import { COUNTER_FIELDS, REGION_FIELDS } from '../stats/fields.ts';
import type { Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { openDeviceReport, openReader } from './device-report.ts';
import { forEachDevice } from './devices.ts';
import { commandFailed } from './failure.ts';
import { TREE_FIELDS } from './info-fields.ts';
import { NO_DEVICES, print, printJson } from './print.ts';

export async function printInfoReport(invocation: Invocation): Promise<void> {
  const { options, operands } = invocation;
  const report = openDeviceReport({}, options);
  await withClient(options, async (client) => {
    // Rows of statistics are regions, and info looks at none: dmsetup has no rows either.
    const hasRows = !report.uses(COUNTER_FIELDS) && !report.uses(REGION_FIELDS);
    const reader = await openReader(client, report, options);
    const { select, ...others } = options;
    try {
      const count = await forEachDevice(
        client,
        { operands, options: others },
        async (device) => {
          if (hasRows) report.add(await reader.read(device));
          if (report.failed && operands.length > 0) throw commandFailed([]);
        },
        { everyDevice: true },
      );
      if (count === 0 && !options.json) {
        print(report.uses(TREE_FIELDS) ? NO_DEVICES.repeat(2) : NO_DEVICES);
      }
    } finally {
      if (options.json) printJson({ devices: report.objects() });
      else report.end();
    }
  });
  if (report.failed) throw commandFailed([]);
}
