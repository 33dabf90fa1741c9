/** `--select` of commands that print no report: the names of the devices that match. */

import type { DmClient } from '../../control/client/dm-client.ts';
import { openDeviceReport, openReader } from './device-report.ts';
import type { DmsetupOptions } from './options.ts';

/** Names as the mapper has them. The selection sees names as they are shown. */
export async function selectDevices(
  client: DmClient,
  selection: string,
): Promise<ReadonlySet<string>> {
  const options: DmsetupOptions = { select: selection, manglename: 'auto' };
  const report = openDeviceReport({ columns: 'mangled_name' }, options);
  const reader = await openReader(client, report, options);
  for (const { name } of await client.list()) report.add(await reader.read({ name }));
  return new Set(report.objects().map((row) => String(row['mangled_name'])));
}
