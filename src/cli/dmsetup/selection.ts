/** `--select`: the names of the devices that match. */

import type { DmClient } from '../../control/client/dm-client.ts';

/** Not there yet. */
export function selectDevices(_client: DmClient, _selection: string): Promise<ReadonlySet<string>> {
  return Promise.resolve(new Set());
}
