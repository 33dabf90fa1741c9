/** The package's main entry: the library. Parts that stand alone have entries of their own (see docs/library.md). */

export { DmError, Errno, type ErrnoName, FormatError } from './base/errors.ts';
export type { ArgumentReader } from './core/arguments.ts';
export { type Bio, BioFlag, Op } from './core/bio.ts';
export type { BlockDevice, DeviceRange } from './core/device.ts';
export type { Limits } from './core/limits.ts';
export type { IoCounts } from './core/statistics.ts';
export { RowError, type RowSpec } from './core/table.ts';
export { formatRowSpec, parseTable } from './core/table-text.ts';
export type { MapResult, Target, TargetContext, TargetFeature, TargetType } from './core/target.ts';
export {
  type CreateOptions,
  type Dependency,
  type DeviceInfo,
  DeviceMapper,
  type DeviceMapperOptions,
  type JoinOptions,
  type TableChoice,
  type TargetInfo,
} from './mapper/device-mapper.ts';
export { type NbdService, type ServeNbdOptions, serveNbd } from './mapper/serve-nbd.ts';
export type { StatusRow, TableInput } from './mapper/table-input.ts';
export type {
  BlockStatusRequest,
  ByteRange,
  DiscardRequest,
  ReadRequest,
  RequestOptions,
  Volume,
  VolumeExtent,
  WriteRequest,
  WriteZeroesRequest,
} from './mapper/volume.ts';
