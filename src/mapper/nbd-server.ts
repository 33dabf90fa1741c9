/** The entry `devmapper/nbd-server`: the NBD server alone, in front of any block devices. `serveNbd` puts it in front of a mapper. */

export { DmError } from '../base/errors.ts';
export { type Bio, BioFlag, Op } from '../core/bio.ts';
export type { BlockDevice } from '../core/device.ts';
export { DEFAULT_LIMITS, type Limits } from '../core/limits.ts';
export { type ExportSource, fixedExports, type NbdExport } from '../exports/nbd/exports.ts';
export {
  DEFAULT_SERVER_LIMITS,
  NbdServer,
  type NbdServerEvent,
  type NbdServerLimits,
  type NbdServerOptions,
  type NbdServerStatus,
} from '../exports/nbd/server.ts';
export { parsePskFile, type TlsOptions } from '../exports/nbd/tls.ts';
