/** Which devices somebody outside the mapper has open: clients of NBD and FUSE, users of the library; not other tables. */

import type { BlockDevice } from '../core/device.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import type { Mapper } from '../core/mapper.ts';

/** How many have each device open who are not a table; devices that nobody has are missing. */
export function outsideOpenCounts(mapper: Mapper): Map<MappedDevice, number> {
  const tableOpens = new Map<BlockDevice, number>();
  for (const owner of mapper.list()) {
    for (const device of opensOf(owner)) tableOpens.set(device, (tableOpens.get(device) ?? 0) + 1);
  }
  const counts = new Map<MappedDevice, number>();
  for (const device of mapper.list()) {
    const count = device.openCount - (tableOpens.get(device) ?? 0);
    if (count > 0) counts.set(device, count);
  }
  return counts;
}

/** As SharedOpens counts: both tables of a device together open another once, once more if one is read-only and one is not. */
function opensOf(owner: MappedDevice): BlockDevice[] {
  const { live, inactive } = owner;
  const sameMode = live !== null && inactive !== null && live.readOnly === inactive.readOnly;
  const [first, second] = [live?.devices ?? [], inactive?.devices ?? []];
  return sameMode ? [...new Set([...first, ...second])] : [...first, ...second];
}
