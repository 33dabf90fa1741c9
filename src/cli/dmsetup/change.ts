/** Commands that do one thing to each of their devices. */

import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import type { Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { forEachDevice } from './devices.ts';
import { request } from './failure.ts';
import { NO_DEVICES, print } from './print.ts';
import { printVerbose } from './verbose.ts';

/** `task` is what dmsetup calls the request in its messages. */
export function changeDevices(
  invocation: Invocation,
  task: string,
  change: (client: DmClient, device: DeviceSelector) => Promise<unknown>,
): Promise<void> {
  const { options } = invocation;
  return withClient(options, async (client) => {
    const count = await forEachDevice(client, invocation, async (device) => {
      await request(task, device, () => change(client, device));
      await printVerbose(client, device, options);
    });
    if (count === 0) print(NO_DEVICES);
  });
}
