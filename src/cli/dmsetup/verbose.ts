/** What -v adds to a command: how its device is now, as `info` prints it. */

import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import { request } from './failure.ts';
import type { DmsetupOptions } from './options.ts';

/** Nothing without -v. */
export async function printVerbose(
  client: DmClient,
  device: DeviceSelector,
  options: DmsetupOptions,
): Promise<void> {
  if (!options.verbose) return;
  const { printInfo } = await import('./info-text.ts');
  await request('info', device, () => printInfo(client, device, options));
}
