/** The entry `devmapper/control-client`: this project's libdevmapper, for our daemon and for a real kernel. */

export { DmError, Errno, type ErrnoName } from '../base/errors.ts';
export { type ConciseDevice, formatConcise, parseConcise } from '../control/client/concise.ts';
export type {
  DeviceEntry,
  DeviceSelector,
  DeviceStatus,
  DmClient,
  SuspendFlags,
  TableQuery,
  TableReply,
  TargetVersion,
} from '../control/client/dm-client.ts';
export { type ConnectOptions, connectClient } from '../control/client/index.ts';
export type { DeviceNumber } from '../core/device.ts';
export type { RowSpec } from '../core/table.ts';
export type { DeviceDetails, DevicesAnswer, LeafDetails } from './devices-method.ts';
export { type EnsureDaemonOptions, ensureDaemon } from './ensure-daemon.ts';
export type { DaemonStatus } from './status-method.ts';
export type { StopAnswer } from './stop-method.ts';
