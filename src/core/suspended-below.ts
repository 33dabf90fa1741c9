/** Whether I/O to a device would wait for somebody who resumes it, or one that it stands on. */

import type { BlockDevice } from './device.ts';
import { MappedDevice } from './mapped-device.ts';

export function isSuspendedBelow(device: BlockDevice): boolean {
  const seen = new Set<BlockDevice>();
  const pending: BlockDevice[] = [device];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (!(next instanceof MappedDevice) || seen.has(next)) continue;
    if (next.suspended) return true;
    seen.add(next);
    pending.push(...(next.live?.devices ?? []));
  }
  return false;
}
