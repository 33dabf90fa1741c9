/**
 * The main thread's side of the data plane: threads, the connections they serve, and the requests they hand back.
 *
 * A thread serves one connection at a time and blocks in its system calls, so a slow client or disk holds up nothing but itself.
 * One idle thread is kept ready from the start, so that a new connection does not wait for a thread; a few that have served are kept too.
 */

import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { MappedDevice } from '../../../core/mapped-device.ts';
import type { System } from '../../../system/index.ts';
import type { AdoptHook } from '../connection.ts';
import type { RequestUnderWay } from '../executor.ts';
import { PlaneConnection } from './plane-connection.ts';

export interface DataPlaneOptions {
  system: System;
  /** Connections served by threads at a time; more are served on the main thread. Default 8. */
  maxThreads?: number;
  /** How long a thread asks an empty socket again before it sleeps; 0: never. Default 50. */
  spinMicroseconds?: number;
}

/** Room for a whole large reply, so that the thread can go on while the client takes it. The kernel has a ceiling of its own. */
const SOCKET_BUFFER_BYTES = 2 * 1024 * 1024;
const DEFAULT_THREADS = 8;
/** Threads without a connection that are kept: as many as the usual client with several connections opens at once. */
const IDLE_LIMIT = 4;
const DEFAULT_SPIN_MICROSECONDS = 50;
/** A thread's heap stays small: its buffers are outside. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };

export class DataPlane {
  readonly #system: System;
  readonly #maxThreads: number;
  readonly #spinMicroseconds: number;
  readonly #idle: Worker[] = [];
  readonly #connections = new Set<PlaneConnection>();
  #threadCount = 0;
  #closed = false;

  constructor(options: DataPlaneOptions) {
    this.#system = options.system;
    this.#maxThreads = options.maxThreads ?? DEFAULT_THREADS;
    this.#spinMicroseconds = options.spinMicroseconds ?? DEFAULT_SPIN_MICROSECONDS;
    this.#keepOneReady();
  }

  /** What the connections of the threads wait for. */
  status(): { exportName: string; underWay: RequestUnderWay[] }[] {
    return [...this.#connections].map((connection) => ({
      exportName: connection.exportName,
      underWay: connection.underWay(),
    }));
  }

  /**
   * Takes a connection over, socket and all, and calls `session.release` when it is over and nothing of it is under way;
   * false leaves it to the caller. `leftover` is what was received already.
   */
  readonly adopt: AdoptHook = (socket, leftover, session) => {
    const { device } = session.export;
    if (this.#closed || !(device instanceof MappedDevice)) return false;
    const descriptor = takeDescriptor(socket, this.#system);
    if (descriptor === null) return false;
    const worker = this.#takeWorker();
    if (worker === null) {
      this.#system.descriptors.close(descriptor.fd);
      return false;
    }
    const early = descriptor.detach();
    const connection = new PlaneConnection({
      system: this.#system,
      worker,
      socketFd: descriptor.fd,
      leftover: Buffer.concat([leftover, ...early]),
      session,
      device,
      spinMicroseconds: this.#spinMicroseconds,
    });
    this.#connections.add(connection);
    void connection.ended.then(({ workerAlive }) => {
      this.#connections.delete(connection);
      if (workerAlive) this.#giveBack(worker);
      session.release();
    });
    this.#keepOneReady();
    return true;
  };

  /** Lets every connection finish what it has and end; for one whose client takes no answers, call `close` after a while. */
  shutDown(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.stop();
  }

  /** Ends every connection and every thread. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#connections) connection.disconnect();
    await Promise.all([...this.#connections].map((connection) => connection.ended));
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  #takeWorker(): Worker | null {
    const idle = this.#idle.pop();
    if (idle) return idle;
    return this.#threadCount < this.#maxThreads ? this.#startWorker() : null;
  }

  #giveBack(worker: Worker): void {
    if (this.#closed || this.#idle.length >= IDLE_LIMIT) void worker.terminate();
    else this.#idle.push(worker);
  }

  #keepOneReady(): void {
    if (this.#idle.length > 0 || this.#threadCount >= this.#maxThreads) return;
    this.#idle.push(this.#startWorker());
  }

  #startWorker(): Worker {
    const worker = new Worker(workerUrl(), { resourceLimits: RESOURCE_LIMITS, stdin: false });
    worker.unref();
    this.#threadCount += 1;
    worker.on('error', () => {
      // A connection that runs on it hears of the exit; an idle one is only forgotten.
    });
    worker.on('exit', () => {
      this.#threadCount -= 1;
      const index = this.#idle.indexOf(worker);
      if (index >= 0) this.#idle.splice(index, 1);
    });
    return worker;
  }
}

/** The compiled file beside this one; from source (tests) the one in `dist`, since threads only load JavaScript. */
function workerUrl(): URL {
  const here = import.meta.url;
  if (here.endsWith('.js')) return new URL('./worker.js', here);
  return new URL('../../../../dist/exports/nbd/data-plane/worker.js', here);
}

interface TakenDescriptor {
  fd: number;
  /** Ends Node's use of the socket and answers what it had received but not delivered. */
  detach(): Uint8Array[];
}

/** A descriptor of our own for Node's socket; null when Node does not show its own. */
function takeDescriptor(socket: Socket, system: System): TakenDescriptor | null {
  const handle = (socket as Socket & { _handle?: { fd?: number; readStop?(): number } })._handle;
  const socketFd = handle?.fd;
  if (socketFd === undefined || socketFd < 0 || handle?.readStop === undefined) return null;
  const fd = system.descriptors.duplicate(socketFd);
  if (fd < 0) return null;
  return {
    fd,
    detach() {
      handle.readStop?.();
      socket.pause();
      const early: Uint8Array[] = [];
      for (let bytes: unknown = socket.read(); bytes instanceof Uint8Array; bytes = socket.read()) {
        early.push(bytes);
      }
      socket.removeAllListeners();
      socket.on('error', () => {
        // Node's half of the socket is closed on purpose; the descriptor goes on.
      });
      socket.destroy();
      system.descriptors.setBlocking(fd, false);
      system.sockets.setSendBuffer(fd, SOCKET_BUFFER_BYTES);
      return early;
    },
  };
}
