/** Which devices somebody outside the mapper has open: clients of NBD and FUSE, users of the library; not other tables. */

import type { BlockDevice } from '../core/device.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import type { Mapper } from '../core/mapper.ts';
import type { Table } from '../core/table.ts';

/** How many have each device open who are not a table; devices that nobody has are missing. */
export function outsideOpenCounts(mapper: Mapper): Map<MappedDevice, number> {
  const tableOpens = new Map<BlockDevice, number>();
  for (const device of mapper.list()) {
    for (const table of [device.live, device.inactive]) countOpens(table, tableOpens);
  }
  const counts = new Map<MappedDevice, number>();
  for (const device of mapper.list()) {
    const count = device.openCount - (tableOpens.get(device) ?? 0);
    if (count > 0) counts.set(device, count);
  }
  return counts;
}

/** A table opens a device once for each word that names it. */
function countOpens(table: Table | null, opens: Map<BlockDevice, number>): void {
  for (const device of table?.operands.values() ?? []) {
    opens.set(device, (opens.get(device) ?? 0) + 1);
  }
}
