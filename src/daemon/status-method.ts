/** `status`: who the daemon is and what goes on in it. */

import type { DaemonMethod } from './methods.ts';

export interface DaemonStatus {
  pid: number;
  version: string;
  folder: string;
  uptimeMs: number;
  deviceCount: number;
  /** Clients of the control socket, the asking one included. */
  controlConnectionCount: number;
  nbd: { connectionCount: number; threadCount: number; addresses: string[] };
  /** What services such as FUSE say of themselves, by name. */
  services: Record<string, unknown>;
  memoryBytes: number;
}

export const statusMethod: DaemonMethod = (_params, { daemon }): DaemonStatus => {
  const { nbd } = daemon;
  return {
    pid: process.pid,
    version: daemon.version,
    folder: daemon.paths.folder,
    uptimeMs: Math.round(daemon.clock.wallMs() - daemon.startedWallMs),
    deviceCount: daemon.mapper.engine.list().length,
    controlConnectionCount: daemon.control.connectionCount,
    nbd: {
      connectionCount: nbd?.connectionCount ?? 0,
      threadCount: nbd?.threadCount ?? 0,
      addresses: (nbd?.addresses ?? []).map((address) =>
        address.kind === 'unix' ? address.path : `${address.host}:${address.port}`,
      ),
    },
    services: Object.fromEntries(
      daemon.services.map((service) => [service.name, service.describe?.() ?? {}]),
    ),
    memoryBytes: process.memoryUsage.rss(),
  };
};
