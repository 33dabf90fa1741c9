/** The entry `devmapper/nbd-client`: an export on some NBD server as a volume, without a device mapper. */

import { systemClock } from '../base/clock.ts';
import { NbdDevice } from '../devices/nbd/device.ts';
import type { RemoteExportOptions } from '../devices/nbd/remote-export.ts';
import { parseNbdUri } from '../devices/nbd/uri.ts';
import { Volume } from './volume.ts';

export { DmError } from '../base/errors.ts';
export { formatNbdUri, type NbdUri, parseNbdUri } from '../devices/nbd/uri.ts';
export type { Volume } from './volume.ts';

export interface ConnectNbdOptions
  extends Partial<
    Pick<RemoteExportOptions, 'connectionCount' | 'timeoutMs' | 'connectTimeoutMs' | 'report'>
  > {
  /** Writes fail, whatever the server allows. */
  readOnly?: boolean;
}

/** Nobody asks for the number of a device that no table uses. */
const NO_NUMBER = { major: 0, minor: 0 };

/**
 * Connects to an export: structured replies, several connections where the server allows it, TLS, and reconnecting with what was in
 * flight. Rejects with `DmError`.
 *
 * @example
 * ```ts
 * import { DeviceMapper, serveNbd } from 'devmapper';
 * import { connectNbd } from 'devmapper/nbd-client';
 *
 * await using mapper = new DeviceMapper();
 * await mapper.create({ name: 'disk', table: '0 2048 linear mem:1M 0' });
 * await using service = await serveNbd(mapper, { host: 'localhost', port: 0 });
 * {
 *   await using disk = await connectNbd(service.uris('disk')[0] ?? '');
 *   await disk.write({ offsetBytes: 512, data: new Uint8Array(512).fill(7) });
 *   const data = await disk.read({ offsetBytes: 0, lengthBytes: 1024 });
 *   console.log(data[512]); // 7
 * }
 * ```
 */
export async function connectNbd(uri: string, options: ConnectNbdOptions = {}): Promise<Volume> {
  const device = await NbdDevice.connect({
    ...options,
    uri: parseNbdUri(uri),
    clock: systemClock,
    number: NO_NUMBER,
    readOnly: options.readOnly ?? false,
  });
  return new Volume({ name: () => uri, device, release: () => device.close() });
}
