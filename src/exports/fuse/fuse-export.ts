/**
 * Mapped devices as files: one directory, mounted by the kernel's FUSE, in which each device with a live table is a regular
 * file of its size. Threads take the requests from the kernel; see session.ts for who answers what.
 *
 * A thread that serves a mount must never wait for that mount itself: everything here that touches the mounted folder is
 * asynchronous, so that it waits in Node's pool.
 */

import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { endsWithin, systemClock } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import type { Mapper } from '../../core/mapper.ts';
import { loadSystem, type System } from '../../system/index.ts';
import { directoryOperations } from './directory-operations.ts';
import { fileOperations } from './file-operations.ts';
import { FuseThread } from './fuse-thread.ts';
import { mountFuse, unmountFuse } from './mount.ts';
import { deviceKeyOf, NodeTable } from './nodes.ts';
import { OpenFiles } from './open-files.ts';
import { createSeats, type Seat } from './seats.ts';
import { FuseSession } from './session.ts';
import { StackCopies } from './stack-copies.ts';

export interface FuseExportOptions {
  mapper: Mapper;
  /** Where to mount; made if it is not there. */
  folder: string;
  /** Threads that take requests. Default: one for each processor, at most 4. */
  threads?: number;
  /** How long a thread asks an empty queue again before it sleeps; 0: never. Default 50, or 0 with one processor. */
  spinMicroseconds?: number;
  /** Told of what should not happen. */
  report?: (message: string) => void;
}

export interface FuseStatus {
  folder: string;
  openFileCount: number;
  /** Requests that the main thread has. */
  underWayCount: number;
  threadCount: number;
}

const MAX_DEFAULT_THREADS = 4;
/** What `settle` waits for at most: a machine that is too busy for more counts a close a little late. */
const SETTLE_LIMIT_MS = 2000;
/** How long `unmount` waits for answers that are still under way when nobody can take them any more. */
const DRAIN_LIMIT_MS = 2000;
/** How long the kernel may take to end a mount. Another mount namespace may have a copy of it, and then it never does. */
const END_LIMIT_MS = 1000;

export class FuseExport {
  readonly folder: string;
  /** Resolves when the mount is gone, whoever unmounted it, and everything is given back. */
  readonly ended: Promise<void>;
  readonly #session: FuseSession;
  readonly #files: OpenFiles;
  readonly #threads: readonly FuseThread[];
  readonly #copies: StackCopies;
  #settleCount = 0;

  private constructor(options: FuseExportOptions, system: System, seats: readonly Seat[]) {
    const { mapper, folder, report = () => {} } = options;
    const nodes = new NodeTable({
      mapper,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      timeSeconds: Math.floor(systemClock.wallMs() / 1000),
    });
    const stopObserving = mapper.observe({
      removed: (device) => nodes.forget(device),
      changed: (device) => {
        if (this.#files.noticeResize(device)) this.#tellSize(nodes.namesOf(device));
      },
    });
    this.folder = folder;
    this.#files = new OpenFiles(mapper, {
      busy: (device, nodeId) => this.#copies.attach(device, deviceKeyOf(nodeId)),
      closed: (device) => this.#copies.detach(device),
      pause: (device) => this.#copies.pause(device),
      settle: () => this.#pingThreads(),
    });
    this.#session = new FuseSession(
      { ...directoryOperations(nodes), ...fileOperations(nodes, this.#files) },
      { report, openFailed: (handle) => this.#files.release(handle) },
    );
    const spinMicroseconds = options.spinMicroseconds ?? (availableParallelism() > 1 ? 50 : 0);
    const execute = this.#session.execute.bind(this.#session);
    this.#threads = seats.map(
      (seat) => new FuseThread(seat, { system, spinMicroseconds, execute, report }),
    );
    this.#copies = new StackCopies(this.#threads);
    this.ended = this.#end(report).finally(stopObserving);
  }

  /** Mounts and serves. Throws DmError: no FUSE here, no right to mount, or something is mounted there. */
  static async mount(options: FuseExportOptions): Promise<FuseExport> {
    const system = loadSystem();
    if (process.platform !== 'linux' || system === null) throw unavailable();
    const fd = await mountFuse(options.folder, system);
    const count = options.threads ?? Math.min(availableParallelism(), MAX_DEFAULT_THREADS);
    const seats = createSeats(system, fd, count);
    if (seats.length > 0) return new FuseExport(options, system, seats);
    // Closed first: a mount that nobody serves would let the unmounting wait.
    system.descriptors.close(fd);
    await unmountFuse(options.folder, { force: true });
    throw new DmError('ENOMEM', `Cannot serve ${options.folder}: no thread or descriptor is left`);
  }

  /** When all threads have ended: whoever still had something open has it no more. */
  async #end(report: (message: string) => void): Promise<void> {
    const ends = this.#threads.map((thread) => thread.ended);
    for (const reason of await Promise.all(ends)) if (reason !== null) report(reason);
    this.#files.releaseAll();
    await endsWithin(systemClock, DRAIN_LIMIT_MS, this.#session.drained());
    await Promise.all(this.#threads.map((thread) => thread.close()));
    // One that waited for others to close may have got it after all.
    this.#files.releaseAll();
  }

  /**
   * The kernel keeps the size of an open file, and believes it for asynchronous reads; it asks for it only when a program does.
   * So this program asks.
   */
  #tellSize(names: readonly string[]): void {
    for (const name of names) void stat(join(this.folder, name)).catch(() => undefined);
  }

  status(): FuseStatus {
    return {
      folder: this.folder,
      openFileCount: this.#files.count,
      underWayCount: this.#session.underWayCount,
      threadCount: this.#threads.length,
    };
  }

  /**
   * Resolves when every close that a program has done is counted. The kernel tells of a close after close(2) has returned;
   * but it queues what it tells, so a name looked up now comes behind it. Never rejects.
   */
  async settle(): Promise<void> {
    if (this.#files.count === 0) return;
    await endsWithin(systemClock, SETTLE_LIMIT_MS, this.#waitForQueue());
  }

  async #waitForQueue(): Promise<void> {
    this.#settleCount += 1;
    // Never seen before, so the kernel has to ask. That it is not there is as expected.
    await stat(join(this.folder, `.settle-${this.#settleCount}`)).catch(() => undefined);
    // What another thread took before may still be on its way here.
    await this.#pingThreads();
  }

  async #pingThreads(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.ping()));
  }

  /** EBUSY while a file is open, unless `force`: then what is open fails from now on. */
  async unmount(options: { force?: boolean } = {}): Promise<void> {
    const force = options.force ?? false;
    if (!force) await this.#refuseWhileOpen();
    await unmountFuse(this.folder, { force });
    if (!force) await endsWithin(systemClock, END_LIMIT_MS, this.ended);
    for (const thread of this.#threads) thread.stop();
    await this.ended;
  }

  /** umount(8) knows of who uses the mount in this mount namespace only. */
  async #refuseWhileOpen(): Promise<void> {
    await this.settle();
    const { count } = this.#files;
    if (count === 0) return;
    const files = count === 1 ? '1 file is' : `${count} files are`;
    throw new DmError('EBUSY', `Cannot unmount ${this.folder}: ${files} open`);
  }
}

function unavailable(): DmError {
  const reason =
    process.platform === 'linux'
      ? 'it needs the optional package koffi, on x64 or arm64'
      : `it is part of Linux, and this is ${process.platform}`;
  const advice = 'NBD (devmapper serve, or the daemon) works without it';
  return new DmError('ENOTSUP', `Cannot use FUSE: ${reason}; ${advice}`);
}
