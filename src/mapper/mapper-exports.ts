/** Mapped devices as NBD exports of their names: each device with a live table, as it is when a client asks. */

import type { MappedDevice } from '../core/mapped-device.ts';
import type { Mapper } from '../core/mapper.ts';
import type { ExportSource, NbdExport } from '../exports/nbd/exports.ts';

export interface MapperExportsOptions {
  /** Only these; default: every device. */
  names?: readonly string[];
  /** Refuses writes even where a device takes them. */
  readOnly?: boolean;
}

export function mapperExports(mapper: Mapper, options: MapperExportsOptions = {}): ExportSource {
  const isOffered = (device: MappedDevice) =>
    device.live !== null && (options.names?.includes(device.name) ?? true);
  const exportOf = (device: MappedDevice): NbdExport => ({
    name: device.name,
    description: device.uuid,
    device,
    readOnly: options.readOnly ?? false,
    open: () => mapper.open(device).release,
  });
  return {
    get(name) {
      const device = mapper.find(name);
      return device && isOffered(device) ? exportOf(device) : undefined;
    },
    list: () => mapper.list().filter(isOffered).map(exportOf),
  };
}
