/**
 * Metadata contexts: what BLOCK_STATUS can be asked about.
 *
 * - `base:allocation`: holes and zeroes, as the protocol defines it.
 * - `devmapper:target`: which row of the live table serves a range. The status is the row's number, counted from 0, in
 *   the order of `dmsetup table`. Only mapped devices have it. Query `devmapper:` lists it.
 */

import { MappedDevice } from '../../core/mapped-device.ts';
import { BASE_ALLOCATION, type MetaContext } from '../../protocols/nbd/meta-context.ts';
import type { NbdExport } from './exports.ts';

export const DEVMAPPER_TARGET = 'devmapper:target';

const CONTEXTS: readonly MetaContext[] = [
  { id: 1, name: BASE_ALLOCATION },
  { id: 2, name: DEVMAPPER_TARGET },
];

/** The contexts an export has. */
export function availableContexts(item: NbdExport): readonly MetaContext[] {
  if (item.device instanceof MappedDevice) return CONTEXTS;
  return CONTEXTS.filter(({ name }) => name !== DEVMAPPER_TARGET);
}

/** For LIST_META_CONTEXT: exact names, and a bare namespace for all of it; no query at all asks for everything. */
export function listContexts(item: NbdExport, queries: readonly string[]): readonly MetaContext[] {
  const available = availableContexts(item);
  if (queries.length === 0) return available;
  return available.filter(({ name }) => queries.some((query) => matches(name, query)));
}

function matches(name: string, query: string): boolean {
  return name === query || (query.endsWith(':') && name.startsWith(query));
}

/** For SET_META_CONTEXT: exact names only. What nobody knows is ignored. */
export function selectContexts(
  item: NbdExport,
  queries: readonly string[],
): readonly MetaContext[] {
  return availableContexts(item).filter(({ name }) => queries.includes(name));
}
