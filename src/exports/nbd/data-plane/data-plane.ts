/**
 * The main thread's side of the data plane: threads, the connections they serve, and the requests they hand back.
 *
 * A thread serves one connection at a time and blocks in its system calls, so a slow client or disk holds up nothing but itself.
 * One idle thread is kept ready from the start, so that a new connection does not wait for a thread; a few that have served are kept too.
 */

import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { endsWithin, systemClock } from '../../../base/clock.ts';
import { MappedDevice } from '../../../core/mapped-device.ts';
import type { System } from '../../../system/index.ts';
import { CipherAssistants } from '../../data-plane/cipher-assistant/assistants.ts';
import { PlaneThread, workerBeside } from '../../data-plane/plane-thread.ts';
import type { AdoptedSession, AdoptHook } from '../connection.ts';
import type { RequestUnderWay } from '../executor.ts';
import { type ConnectionEnd, PlaneConnection } from './plane-connection.ts';

export interface DataPlaneOptions {
  system: System;
  /** Connections served by threads at a time; more are served on the main thread. Default 8. */
  maxThreads?: number;
  /** How long a thread asks an empty socket again before it sleeps; 0: never. Default 50, or 0 on a machine with one processor. */
  spinMicroseconds?: number;
}

/** Room for a whole large reply, so that the thread can go on while the client takes it. The kernel has a ceiling of its own. */
const SOCKET_BUFFER_BYTES = 2 * 1024 * 1024;
const DEFAULT_THREADS = 8;
/** Threads without a connection that are kept: as many as the usual client with several connections opens at once. */
const IDLE_LIMIT = 4;
/** A thread whose buffers were filled further than this is not kept, since they never shrink. */
const IDLE_MEMORY_BYTES = 8 * 1024 * 1024;
/** How long `close` waits for threads that are inside a system call on a disk. */
const CLOSE_LIMIT_MS = 2000;

export class DataPlane {
  readonly #system: System;
  readonly #maxThreads: number;
  readonly #spinMicroseconds: number;
  readonly #idle: PlaneThread[] = [];
  readonly #connections = new Set<PlaneConnection>();
  readonly #ending = new Set<Promise<void>>();
  readonly #assistants = new CipherAssistants();
  #threadCount = 0;
  #closed = false;

  constructor(options: DataPlaneOptions) {
    this.#system = options.system;
    this.#maxThreads = options.maxThreads ?? DEFAULT_THREADS;
    // With one processor nothing can arrive while a thread spins.
    this.#spinMicroseconds = options.spinMicroseconds ?? (availableParallelism() > 1 ? 50 : 0);
    this.#keepOneReady();
  }

  /** Threads that serve a connection now. */
  get busyThreadCount(): number {
    return [...this.#connections].filter(({ isGone }) => !isGone).length;
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
    const eventFd = this.#system.descriptors.createEvent({ nonblocking: true });
    const thread = eventFd < 0 ? null : this.#takeThread();
    if (thread === null) {
      for (const fd of [descriptor.fd, eventFd]) if (fd >= 0) this.#system.descriptors.close(fd);
      return false;
    }
    // Asked first: a socket that was detached knows no addresses.
    const lendsFiles = !reachesUsOverTcp(socket);
    const early = descriptor.detach();
    const connection = new PlaneConnection({
      system: this.#system,
      thread,
      socketFd: descriptor.fd,
      eventFd,
      leftover: Buffer.concat([leftover, ...early]),
      session,
      device,
      spinMicroseconds: this.#spinMicroseconds,
      lendsFiles,
      takeAssistant: () => this.#assistants.take(),
    });
    this.#follow(connection, thread, session);
    this.#keepOneReady();
    return true;
  };

  #follow(connection: PlaneConnection, thread: PlaneThread, session: AdoptedSession): void {
    this.#connections.add(connection);
    void connection.gone.then((end) => this.#giveBack(thread, end));
    void connection.ended.then(({ reason }) => {
      this.#connections.delete(connection);
      session.release(reason);
    });
  }

  /** Lets every connection finish what it has and end; for one whose client takes no answers, call `close` after a while. */
  shutDown(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.stop();
  }

  /** Ends every connection and every thread. Does not wait for requests that the main thread has. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#connections) connection.disconnect();
    const gone = Promise.all([...this.#connections].map((connection) => connection.gone));
    await endsWithin(systemClock, CLOSE_LIMIT_MS, gone);
    for (const thread of this.#idle.splice(0)) this.#end(thread);
    await Promise.all([...this.#ending, this.#assistants.close()]);
  }

  #takeThread(): PlaneThread | null {
    return this.#idle.pop() ?? this.#startThread();
  }

  #giveBack(thread: PlaneThread, { threadAlive, counters }: ConnectionEnd): void {
    if (!threadAlive) {
      this.#threadCount -= 1;
      return;
    }
    thread.onEnd = () => this.#forget(thread);
    const isLean = (counters?.touchedBytes ?? 0) <= IDLE_MEMORY_BYTES;
    const isWanted = !this.#closed && this.#idle.length < IDLE_LIMIT;
    if (isLean && isWanted) this.#idle.push(thread);
    else this.#end(thread);
  }

  #end(thread: PlaneThread): void {
    const ending = thread.end();
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }

  #keepOneReady(): void {
    if (this.#idle.length > 0) return;
    const thread = this.#startThread();
    if (thread !== null) this.#idle.push(thread);
  }

  #startThread(): PlaneThread | null {
    if (this.#threadCount >= this.#maxThreads) return null;
    const thread = PlaneThread.start(workerBeside(import.meta.url));
    if (thread === null) return null;
    this.#threadCount += 1;
    thread.onEnd = () => this.#forget(thread);
    return thread;
  }

  /** An idle thread ended. */
  #forget(thread: PlaneThread): void {
    this.#threadCount -= 1;
    const index = this.#idle.indexOf(thread);
    if (index >= 0) this.#idle.splice(index, 1);
  }
}

/**
 * Whether the client is on this machine and yet not on a Unix socket: then parts of files that were sent stay parts of the files
 * until it reads them, and nothing tells when it has.
 */
function reachesUsOverTcp({ remoteAddress, localAddress }: Socket): boolean {
  if (remoteAddress === undefined) return false;
  return remoteAddress === localAddress || /^(::ffff:)?127\./.test(remoteAddress);
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
