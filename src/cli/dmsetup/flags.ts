/** Options that become flags of requests. */

import type { SuspendFlags } from '../../control/client/dm-client.ts';
import type { DmsetupOptions } from './options.ts';

export function suspendFlags({ noflush, nolockfs }: DmsetupOptions): SuspendFlags {
  return { noflush: noflush ?? false, skipLockfs: nolockfs ?? false };
}
