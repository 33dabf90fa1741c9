/**
 * `sysfs {"nodes"?: boolean}`: from now on $DEVMAPPER_DIR/sys shows what /sys would show if our devices were in it; asked again, it looks for new
 * devices of the host. `proc {"path": string}`: a file of /proc with our devices in it.
 */

import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DmError } from '../base/errors.ts';
import { SysfsMirror } from '../exports/sysfs/mirror.ts';
import {
  type ListedDevice,
  type MountedDevice,
  rewriteDevices,
  rewriteMisc,
  rewriteMounts,
  rewritePartitions,
} from '../exports/sysfs/proc-tables.ts';
import type { Daemon, DaemonService } from './daemon.ts';
import { type InstanceLock, tryLock } from './instance-lock.ts';
import { booleanParam, type DaemonMethod, stringParam } from './methods.ts';

/** Held by the daemon whose nodes are in /dev/mapper. Not in its folder, because every daemon of the machine asks for it. */
const NODES_LOCK = '/run/devmapper-nodes.lock';

class SysfsService implements DaemonService {
  readonly name = 'sysfs';
  readonly #mirror: SysfsMirror;
  readonly #folder: string;
  #nodesLock: InstanceLock | null = null;

  constructor(daemon: Daemon) {
    this.#folder = join(daemon.paths.folder, 'sys');
    this.#mirror = new SysfsMirror({
      mapper: daemon.mapper.engine,
      folder: daemon.paths.folder,
      ownsNodes: () => this.#nodesLock !== null,
      onTrouble: (reason) => daemon.log.warn(reason),
    });
  }

  refresh(): void {
    this.#mirror.refresh();
  }

  /** Whether nodes in /dev/mapper are this daemon's. They are one daemon's at a time: a number means one device only. */
  claimNodes(): boolean {
    try {
      this.#nodesLock ??= tryLock(NODES_LOCK);
    } catch {
      // Root of a namespace only, or a /run that cannot be written: nothing says that nobody else has nodes there.
    }
    return this.#nodesLock !== null;
  }

  describe(): unknown {
    return { folder: this.#folder };
  }

  close(): Promise<void> {
    this.#mirror.close();
    this.#nodesLock?.release();
    this.#nodesLock = null;
    return Promise.resolve();
  }
}

/** Answers the major number of mapped devices, which nodes for them need, and every disk, for whoever makes nodes; and whether nodes, if wanted, may be in /dev/mapper. */
export const sysfsMethod: DaemonMethod = (params, { daemon }) => {
  let service = daemon.services.find((each) => each instanceof SysfsService);
  if (service === undefined) {
    service = new SysfsService(daemon);
    daemon.addService(service);
  }
  const nodes = booleanParam(params, 'nodes') && service.claimNodes();
  service.refresh();
  const { engine } = daemon.mapper;
  const disks = engine.list().filter(({ hasDisk }) => hasDisk);
  const devices = disks.map(({ name, number }) => ({ name, minor: number.minor }));
  return { major: engine.major, devices, nodes };
};

/** Answers the text itself, for a client in C. */
export const procMethod: DaemonMethod = (params, { daemon }) =>
  Buffer.from(procFile(stringParam(params, 'path') ?? '', daemon));

function procFile(path: string, daemon: Daemon): string {
  const { major } = daemon.mapper.engine;
  switch (path) {
    case '/proc/devices':
      return rewriteDevices(readFileSync(path, 'utf8'), major);
    case '/proc/misc':
      return rewriteMisc(readFileSync(path, 'utf8'));
    case '/proc/partitions':
      return rewritePartitions(readFileSync(path, 'utf8'), major, listDevices(daemon));
    default:
      return mountTable(path, daemon);
  }
}

/** Only files that say nothing else, of any process: they are everybody's to read. */
function mountTable(path: string, daemon: Daemon): string {
  if (!/^\/proc\/\d+\/(mounts|mountinfo)$/.test(path)) {
    throw new DmError('ENOTSUP', `Cannot show "${path}": it is no table of devices or mounts`);
  }
  const { engine } = daemon.mapper;
  return rewriteMounts(readFileSync(path, 'utf8'), engine.major, (loop) =>
    behindLoop(daemon, loop),
  );
}

/** The mapped device whose FUSE file a loop device stands on. */
function behindLoop(daemon: Daemon, loop: number): MountedDevice | undefined {
  const file = `/sys/block/loop${loop}/loop/backing_file`;
  const backing = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const folder = `${daemon.paths.mapper}/.node-`;
  const minor = /^\d+/.exec(backing.startsWith(folder) ? backing.slice(folder.length) : '');
  if (minor === null) return undefined;
  const device = listDevices(daemon).find((each) => each.minor === Number(minor[0]));
  if (device === undefined) return undefined;
  return { minor: device.minor, source: mountSource(daemon, loop) ?? `/dev/mapper/${device.name}` };
}

/** What the preload library noted when it mounted the loop device, as programs know it: a private /dev is /dev to them. */
function mountSource(daemon: Daemon, loop: number): string | null {
  const { folder } = daemon.paths;
  try {
    const source = readlinkSync(join(folder, `loop${loop}.source`));
    return source.startsWith(join(folder, 'dev/')) ? source.slice(folder.length) : source;
  } catch {
    return null; // Mounted by other means.
  }
}

function listDevices(daemon: Daemon): ListedDevice[] {
  return daemon.mapper.engine.list().map(({ name, number, sizeSectors }) => ({
    name,
    minor: number.minor,
    sizeSectors,
  }));
}
