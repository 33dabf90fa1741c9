/** What a server offers: block devices by name. */

import type { BlockDevice } from '../../core/device.ts';

export interface NbdExport {
  readonly name: string;
  /** For people; may be empty. */
  readonly description: string;
  readonly device: BlockDevice;
  /** Refuses writes even where the device takes them. */
  readonly readOnly: boolean;
  /** Counts a client in; the function it returns counts it out. Throws DmError to refuse. */
  open(): () => void;
}

/** Looked at for each client anew: exports may come and go. */
export interface ExportSource {
  get(name: string): NbdExport | undefined;
  list(): readonly NbdExport[];
}

/** A source that never changes. */
export function fixedExports(exports: readonly NbdExport[]): ExportSource {
  const byName = new Map(exports.map((item) => [item.name, item]));
  return { get: (name) => byName.get(name), list: () => exports };
}

/** The export a client asked for; the empty name means the default export, or the only one there is. */
export function findExport(
  source: ExportSource,
  name: string,
  defaultName: string | undefined,
): NbdExport | undefined {
  const named = source.get(name);
  if (named !== undefined || name !== '') return named;
  if (defaultName !== undefined) return source.get(defaultName);
  const all = source.list();
  return all.length === 1 ? all[0] : undefined;
}
