/**
 * `mount {}`: from now on every device is a file in $DEVMAPPER_DIR/mapper; answers the folder. `unmount {"force"?: boolean}`:
 * refused while a file is open, unless forced.
 */

import { FuseExport } from '../exports/fuse/fuse-export.ts';
import { recoverStaleMount } from '../exports/fuse/mount.ts';
import type { StatePaths } from '../system/state-folder.ts';
import type { Daemon, DaemonService } from './daemon.ts';
import type { Log } from './log.ts';
import { booleanParam, type DaemonMethod } from './methods.ts';

class FuseService implements DaemonService {
  readonly name = 'fuse';
  readonly #mount: FuseExport;
  readonly #log: Log;

  constructor(mount: FuseExport, log: Log) {
    this.#mount = mount;
    this.#log = log;
  }

  settle(): Promise<void> {
    return this.#mount.settle();
  }

  describe(): unknown {
    return this.#mount.status();
  }

  /** Somebody unmounted it by other means. */
  get ended(): Promise<void> {
    return this.#mount.ended;
  }

  unmount(force: boolean): Promise<void> {
    return this.#mount.unmount({ force });
  }

  /** The daemon ends: whoever still has a file open loses it. */
  async close(): Promise<void> {
    try {
      await this.#mount.unmount();
    } catch (error) {
      this.#log.warn(`${error instanceof Error ? error.message : String(error)}; taken away`);
      await this.#mount.unmount({ force: true });
    }
  }
}

function findService(daemon: Daemon): FuseService | undefined {
  return daemon.services.find((each) => each instanceof FuseService);
}

/** Mounts on behalf of those that ask at the same time once. */
const mounting = new WeakMap<Daemon, Promise<void>>();

/** Does nothing when it is mounted. Throws DmError. */
export async function mountMapper(daemon: Daemon): Promise<void> {
  if (findService(daemon) !== undefined) return;
  let underWay = mounting.get(daemon);
  if (underWay === undefined) {
    underWay = startService(daemon).finally(() => mounting.delete(daemon));
    mounting.set(daemon, underWay);
  }
  await underWay;
}

async function startService(daemon: Daemon): Promise<void> {
  const { log, mapper, paths } = daemon;
  const mount = await FuseExport.mount({
    mapper: mapper.engine,
    folder: paths.mapper,
    report: (message) => log.warn(message),
  });
  const service = new FuseService(mount, log);
  daemon.addService(service);
  service.ended
    .then(() => daemon.removeService(service))
    .catch((error: unknown) => log.warn(`unmounting: ${String(error)}`));
  log.info({ folder: paths.mapper }, 'mounted');
}

export const mountMethod: DaemonMethod = async (_params, { daemon }) => {
  await mountMapper(daemon);
  return { folder: daemon.paths.mapper };
};

/** Answers whether it was mounted. */
export const unmountMethod: DaemonMethod = async (params, { daemon }) => {
  const force = booleanParam(params, 'force');
  const service = findService(daemon);
  await service?.unmount(force);
  if (service !== undefined) daemon.log.info({ folder: daemon.paths.mapper }, 'unmounted');
  return { folder: daemon.paths.mapper, wasMounted: service !== undefined };
};

/** Unmounts what a daemon that was killed left behind. */
export async function recoverMount(paths: StatePaths, log: Log): Promise<void> {
  if (process.platform !== 'linux') return;
  if (await recoverStaleMount(paths.mapper)) {
    log.info({ folder: paths.mapper }, 'unmounted what a daemon that died had left');
  }
}
