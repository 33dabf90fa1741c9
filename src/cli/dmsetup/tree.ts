/**
 * Who uses whom: mapped devices and what is below them, as libdevmapper's dm_tree gathers them. Devices are visited by name; each
 * visit goes down through what it uses, and every list keeps the order in which its links were found.
 */

import type { DeviceEntry, DmClient } from '../../control/client/dm-client.ts';
import { type DeviceNumber, formatDeviceNumber } from '../../core/device.ts';

export interface TreeNode {
  /** '' for what is no mapped device. */
  name: string;
  number: DeviceNumber;
  uses: TreeNode[];
  usedBy: TreeNode[];
}

export interface DependencyTree {
  /** Mapped devices, sorted by name. */
  devices: TreeNode[];
  /** Used by nobody. */
  tops: TreeNode[];
  /** Use nobody. */
  bottoms: TreeNode[];
}

/** Of live tables, always. */
export async function readDependencyTree(client: DmClient): Promise<DependencyTree> {
  const entries = await client.list();
  const uses = new Map<string, DeviceNumber[]>();
  for (const { name, number } of entries) {
    uses.set(formatDeviceNumber(number), await client.dependencies({ name }));
  }
  return buildTree(entries, uses);
}

/** `uses` has an entry for every mapped device, by number. */
export function buildTree(
  entries: readonly Pick<DeviceEntry, 'name' | 'number'>[],
  uses: ReadonlyMap<string, readonly DeviceNumber[]>,
): DependencyTree {
  const names = new Map(entries.map(({ name, number }) => [formatDeviceNumber(number), name]));
  const nodes = new Map<string, TreeNode>();
  const bottoms: TreeNode[] = [];

  /** Depth first with a list of its own: a stack of devices may be deeper than a stack of calls. */
  const visit = (number: DeviceNumber) => {
    const pending: { number: DeviceNumber; user: TreeNode | null }[] = [{ number, user: null }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const key = formatDeviceNumber(next.number);
      const known = nodes.get(key);
      const node = known ?? {
        name: names.get(key) ?? '',
        number: next.number,
        uses: [],
        usedBy: [],
      };
      if (next.user !== null && !node.usedBy.includes(next.user)) {
        node.usedBy.push(next.user);
        next.user.uses.push(node);
      }
      if (known !== undefined) continue;
      nodes.set(key, node);
      const below = uses.get(key) ?? [];
      if (below.length === 0) bottoms.push(node);
      for (const each of [...below].reverse()) pending.push({ number: each, user: node });
    }
  };
  for (const { number } of entries) visit(number);
  const devices = entries.map(({ number }) => nodes.get(formatDeviceNumber(number))!);
  return { devices, tops: devices.filter(({ usedBy }) => usedBy.length === 0), bottoms };
}
