/**
 * The daemon: one mapper, and every door to it — the control socket, NBD, and services such as FUSE.
 *
 * Order matters. Start: lock, recovery, devices of the tab, NBD, control last, so that who finds the control socket finds
 * everything. Stop: the doors close in the opposite order, then devices are flushed and go, then the lock.
 */

import { rmSync } from 'node:fs';
import { type Clock, endsWithin, sleep, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { type ControlContext, createSession } from '../control/ioctl/index.ts';
import { ControlServer } from '../control/server/server.ts';
import { findFreeMajor } from '../devices/free-major.ts';
import { DeviceMapper } from '../mapper/device-mapper.ts';
import { type NbdService, type ServeNbdOptions, serveNbd } from '../mapper/serve-nbd.ts';
import { makeStateFolder, type StatePaths, statePaths } from '../system/state-folder.ts';
import { somebodyAnswers } from '../system/unix-socket.ts';
import type { ActivatedSockets } from './activation.ts';
import { DaemonSession } from './daemon-session.ts';
import { mountMapper } from './fuse-method.ts';
import { type InstanceLock, runningError, tryLock } from './instance-lock.ts';
import type { Log } from './log.ts';
import { outsideOpenCounts } from './open-devices.ts';
import { recoverState } from './recovery.ts';
import { createTabDevices, type TabFile } from './tab.ts';

/** A door beside control and NBD, e.g. the FUSE mount. */
export interface DaemonService {
  readonly name: string;
  /** Resolves when every close that programs already did is counted. */
  settle?(): Promise<void>;
  /** What `status` tells of it. */
  describe?(): unknown;
  /** Lets nobody in any more and finishes what is under way. */
  close(): Promise<void>;
}

export interface DaemonOptions {
  folder: string;
  log: Log;
  /** Listening on TCP, TLS, threads; the Unix socket is always there. */
  nbd?: Omit<ServeNbdOptions, 'socketPath'>;
  /** Devices to begin with. */
  tab?: TabFile;
  activated?: ActivatedSockets;
  /** false: images are used although another program has locked them. */
  lockImages?: boolean;
  /** Mount the devices as files from the start. */
  fuse?: boolean;
  /** Of this project, for `status`. */
  version: string;
  clock?: Clock;
}

export interface StopRequest {
  /** Who or what asked, for the log. */
  reason: string;
}

/** How long a new daemon waits for one that is on its way out. */
const HANDOVER_MS = 10_000;
const DRAIN_MS = 10_000;

export class Daemon {
  readonly paths: StatePaths;
  readonly log: Log;
  readonly version: string;
  readonly clock: Clock;
  readonly startedWallMs: number;
  readonly mapper: DeviceMapper;
  /** Resolves when somebody wants the daemon to end; whoever started it calls `close` then. */
  readonly stopRequested: Promise<StopRequest>;
  readonly #options: DaemonOptions;
  readonly #lock: InstanceLock;
  readonly #services: DaemonService[] = [];
  readonly #control: ControlServer;
  #nbd: NbdService | null = null;
  #requestStop: (request: StopRequest) => void = () => {};
  #stopping = false;
  #drained: Promise<readonly string[]> | null = null;
  #closed: Promise<boolean> | null = null;

  private constructor(options: DaemonOptions, lock: InstanceLock) {
    const { log, clock = systemClock } = options;
    this.#options = options;
    this.#lock = lock;
    this.paths = statePaths(options.folder);
    this.log = log;
    this.version = options.version;
    this.clock = clock;
    this.startedWallMs = clock.wallMs();
    this.mapper = new DeviceMapper({
      lock: options.lockImages ?? true,
      major: findFreeMajor(),
      mountFolder: this.paths.mapper,
      report: (message) => log.warn(message),
    });
    this.stopRequested = new Promise((resolve) => {
      this.#requestStop = resolve;
    });
    const context: ControlContext = { mapper: this.mapper.engine, settle: () => this.settle() };
    this.#control = new ControlServer({
      connect: () =>
        new DaemonSession({ daemon: this, context, session: createSession(this.mapper.engine) }),
      onTrouble: (reason) => log.warn(reason),
    });
  }

  /** Throws DmError: EBUSY with its process id when another daemon has the folder. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const paths = statePaths(options.folder);
    makeStateFolder(paths);
    const lock = await takeLock(paths, options.clock ?? systemClock);
    const daemon = new Daemon(options, lock);
    try {
      await daemon.#open();
      return daemon;
    } catch (error) {
      await daemon.close().catch(() => undefined);
      throw error;
    }
  }

  async #open(): Promise<void> {
    const { tab, activated } = this.#options;
    await recoverState(this.paths, this.log);
    if (tab) await createTabDevices(this.mapper.engine, tab);
    this.#nbd = await this.#listenNbd(activated?.nbd ?? null);
    if (this.#options.fuse) await mountMapper(this);
    if (activated?.control != null) await this.#control.listenDescriptor(activated.control);
    else await this.#control.listenUnix(this.paths.control);
    this.log.info({ folder: this.paths.folder, version: this.version }, 'ready');
  }

  #listenNbd(descriptor: number | null): Promise<NbdService> {
    const { nbd } = this.#options;
    // `devmapper serve` may have the first one.
    const paths = [this.paths.nbd, this.paths.nbd.replace(/\.sock$/, `-${process.pid}.sock`)];
    return serveNbd(this.mapper, {
      ...nbd,
      ...(descriptor === null
        ? { socketPath: paths }
        : { listening: { fd: descriptor, path: this.paths.nbd } }),
      onEvent: (event) => this.log.debug(event, `nbd client ${event.kind}`),
    });
  }

  get nbd(): NbdService | null {
    return this.#nbd;
  }

  get control(): ControlServer {
    return this.#control;
  }

  get services(): readonly DaemonService[] {
    return this.#services;
  }

  /** Closed with the daemon, the last one first. */
  addService(service: DaemonService): void {
    this.#services.push(service);
  }

  /** Closes a service before its time. */
  async removeService(service: DaemonService): Promise<void> {
    const index = this.#services.indexOf(service);
    if (index >= 0) this.#services.splice(index, 1);
    await service.close();
  }

  async settle(): Promise<void> {
    for (const service of this.#services) await service.settle?.();
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * Ends the daemon on a client's behalf: everything is flushed when it resolves, with what went wrong in words; the rest follows
   * once the client has its answer. EBUSY, with the names, while somebody has a device open, unless `force`; nothing has changed then.
   */
  async stop({ force, reason }: { force: boolean; reason: string }): Promise<readonly string[]> {
    await this.settle();
    const names = [...outsideOpenCounts(this.mapper.engine).keys()].map(({ name }) => name);
    if (names.length > 0 && !force) {
      throw new DmError('EBUSY', `Cannot stop the daemon: in use: ${names.join(', ')}`);
    }
    this.#stopping = true;
    const problems = await this.#drain();
    this.#requestStop({ reason });
    return problems;
  }

  /** Finishes what is under way, flushes, lets go. False: something did not come to an end and was left behind. */
  close(): Promise<boolean> {
    this.#stopping = true;
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #drain(): Promise<readonly string[]> {
    this.#drained ??= this.#closeDoors();
    return this.#drained;
  }

  async #closeDoors(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const service of [...this.#services].reverse()) {
      await attempt(problems, service.name, () => service.close());
    }
    const closeNbd = async () => this.#nbd?.close({ timeoutMs: DRAIN_MS });
    await attempt(problems, 'nbd', closeNbd);
    await attempt(problems, 'flush', () => this.#inTime(this.mapper.flush()));
    return problems;
  }

  /** False: it has not come to its end by then. A disk may be stuck for good. */
  #inTime(action: Promise<unknown>): Promise<boolean> {
    return endsWithin(this.clock, DRAIN_MS, action);
  }

  async #close(): Promise<boolean> {
    const problems = [...(await this.#drain())];
    await attempt(problems, 'control', () => this.#control.close({ timeoutMs: DRAIN_MS }));
    await attempt(problems, 'devices', () => this.#inTime(this.mapper.close()));
    for (const problem of problems) this.log.warn(problem);
    this.log.info(problems.length === 0 ? 'stopped: flushed and removed every device' : 'stopped');
    if (!this.#options.activated) rmSync(this.paths.control, { force: true });
    this.#lock.release();
    return problems.length === 0;
  }
}

/** Goes on whatever happens: ending is not a thing to stop halfway. */
async function attempt(
  problems: string[],
  what: string,
  action: () => Promise<unknown>,
): Promise<void> {
  try {
    if ((await action()) === false) problems.push(`${what}: not everything came to an end`);
  } catch (error) {
    problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A daemon that answers is refused at once; one that is ending is waited for. */
async function takeLock(paths: StatePaths, clock: Clock): Promise<InstanceLock> {
  const deadlineMs = clock.nowMs() + HANDOVER_MS;
  for (;;) {
    const lock = tryLock(paths.lock);
    if (lock !== null) return lock;
    const isServing = await somebodyAnswers(paths.control);
    if (isServing || clock.nowMs() > deadlineMs) throw runningError(paths.lock, paths.folder);
    await sleep(clock, 50);
  }
}
