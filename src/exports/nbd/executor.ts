/**
 * Runs requests of one session on the export's device and encodes the replies. Knows nothing of sockets: whoever has a
 * decoded request, a stream of this thread or a worker, hands it in and gets the bytes to send.
 *
 * Invariants
 * - `done` is called exactly once for each request, perhaps before `execute` returns.
 * - Nothing of the request object is kept: the caller may decode the next header into it at once.
 * - The payload is the executor's until `done`; the chunks are the caller's from then on, each in memory of its own.
 */

import { assert } from '../../base/assert.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Errno, errnoName, FormatError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { type Bio, BioFlag, NO_DATA, Op, recycleBio, takeBio } from '../../core/bio.ts';
import type { BlockStatus } from '../../protocols/nbd/chunk.ts';
import {
  Command,
  CommandFlag,
  MAX_PAYLOAD_BYTES,
  NbdError,
} from '../../protocols/nbd/constants.ts';
import { BASE_ALLOCATION, type MetaContext } from '../../protocols/nbd/meta-context.ts';
import {
  type BlockStatusPayload,
  decodeBlockStatusPayload,
  type Request,
} from '../../protocols/nbd/request.ts';
import { queryAllocation, queryTargets, type StatusRange } from './block-status.ts';
import { nbdErrorOf } from './nbd-errors.ts';
import {
  createReplyWriter,
  type Failure,
  HEADROOM_BYTES,
  type ReplyWriter,
} from './reply-writer.ts';
import { checkRequest, commandName } from './request-check.ts';
import type { NbdSession } from './session.ts';

export type ReplyCallback = (chunks: Uint8Array[]) => void;

export interface ExecutorOptions {
  clock?: Clock;
}

/** A request that is under way, for those who ask what is being waited for. */
export interface RequestUnderWay {
  command: string;
  offsetBytes: number;
  lengthBytes: number;
  forMs: number;
}

/** A request and what its reply needs to repeat of it. Field by field: spreading it took 7 % of the main thread's time under small requests. */
class Operation implements Readonly<Request> {
  readonly flags: number;
  readonly command: number;
  readonly cookieHigh: number;
  readonly cookieLow: number;
  readonly offsetHigh: number;
  readonly offsetLow: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly payload: Uint8Array | null;
  readonly startMs: number;
  readonly done: ReplyCallback;

  constructor(
    request: Request,
    { payload, startMs, done }: Pick<Operation, 'payload' | 'startMs' | 'done'>,
  ) {
    this.flags = request.flags;
    this.command = request.command;
    this.cookieHigh = request.cookieHigh;
    this.cookieLow = request.cookieLow;
    this.offsetHigh = request.offsetHigh;
    this.offsetLow = request.offsetLow;
    this.offsetBytes = request.offsetBytes;
    this.lengthBytes = request.lengthBytes;
    this.payload = payload;
    this.startMs = startMs;
    this.done = done;
  }
}

export class Executor {
  readonly #session: NbdSession;
  readonly #clock: Clock;
  readonly #replies: ReplyWriter;
  readonly #underWay = new Set<Operation>();
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(session: NbdSession, options: ExecutorOptions = {}) {
    this.#session = session;
    this.#clock = options.clock ?? systemClock;
    this.#replies = createReplyWriter(session);
  }

  get inFlightCount(): number {
    return this.#underWay.size;
  }

  /** What has been accepted and not answered, oldest first. */
  underWay(): RequestUnderWay[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#underWay].map(({ command, offsetBytes, lengthBytes, startMs }) => ({
      command: commandName(command),
      offsetBytes,
      lengthBytes,
      forMs: nowMs - startMs,
    }));
  }

  /** From now on every request is answered with ESHUTDOWN; those under way go on. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when nothing is under way. */
  drained(): Promise<void> {
    if (this.#underWay.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
    });
  }

  /** `payload` is what followed the header, null if nothing did. Anything but `disconnect`, which is the stream's. */
  execute(request: Request, payload: Uint8Array | null, done: ReplyCallback): void {
    const startMs = this.#clock.nowMs();
    const operation = new Operation(request, { payload, startMs, done });
    this.#underWay.add(operation);
    if (this.#closed) {
      const message = 'The server is shutting down';
      this.#fail(operation, { error: NbdError.ESHUTDOWN, message });
    } else if (request.command === Command.blockStatus) {
      this.#startBlockStatus(operation);
    } else {
      this.#start(operation);
    }
  }

  #start(operation: Operation): void {
    const failure = checkRequest(this.#session, operation);
    if (failure !== null) this.#fail(operation, failure);
    else if (operation.lengthBytes === 0 && operation.command !== Command.flush) {
      this.#succeed(operation);
    } else if (operation.command === Command.read) this.#read(operation);
    else this.#submit(operation, createBio(operation));
  }

  #read(operation: Operation): void {
    // Not zeroed: a read that succeeds writes all of it, one that fails sends none of it.
    const buffer = Buffer.allocUnsafeSlow(HEADROOM_BYTES + operation.lengthBytes);
    const bio = createBio(operation);
    bio.device = this.#session.export.device;
    bio.data = buffer;
    bio.dataOffset = HEADROOM_BYTES;
    bio.onEnd = (ended) => {
      const errno = ended.error;
      recycleBio(ended);
      if (errno !== 0) this.#failWith(operation, errno);
      else this.#finish(operation, this.#replies.data(operation, buffer, operation.offsetBytes));
    };
    this.#session.export.device.submit(bio);
  }

  #submit(operation: Operation, bio: Bio): void {
    bio.device = this.#session.export.device;
    bio.onEnd = (ended) => {
      const errno = ended.error;
      recycleBio(ended);
      this.#endOfBio(operation, errno);
    };
    this.#session.export.device.submit(bio);
  }

  #endOfBio(operation: Operation, errno: number): void {
    const isTrim = operation.command === Command.trim;
    // A trim is a hint: a device that cannot follow it has done nothing wrong.
    if (errno !== 0 && !(isTrim && errno === Errno.ENOTSUP)) this.#failWith(operation, errno);
    else if (isTrim && operation.flags & CommandFlag.fua) this.#flushAfter(operation);
    else this.#succeed(operation);
  }

  /** FUA of a trim: discards have no FUA below. */
  #flushAfter(operation: Operation): void {
    const bio = takeBio();
    bio.op = Op.flush;
    bio.device = this.#session.export.device;
    bio.sector = 0;
    bio.sectorCount = 0;
    bio.onEnd = (ended) => {
      const errno = ended.error;
      recycleBio(ended);
      if (errno !== 0) this.#failWith(operation, errno);
      else this.#succeed(operation);
    };
    this.#session.export.device.submit(bio);
  }

  #startBlockStatus(operation: Operation): void {
    const asked = this.#statusQuestion(operation);
    if ('error' in asked) {
      this.#fail(operation, asked);
      return;
    }
    const { lengthBytes, contexts } = asked;
    const failure = checkRequest(this.#session, { ...operation, lengthBytes });
    if (failure !== null) {
      this.#fail(operation, failure);
      return;
    }
    const range: StatusRange = {
      sector: operation.offsetBytes / SECTOR_BYTES,
      sectorCount: lengthBytes / SECTOR_BYTES,
      single: (operation.flags & CommandFlag.reqOne) !== 0,
    };
    this.#askContexts(contexts, range, (statuses) => {
      this.#finish(operation, this.#replies.blockStatus(operation, statuses));
    });
  }

  /** The length and the contexts that are asked about, from the header or, with extended headers, from a payload. */
  #statusQuestion(
    operation: Operation,
  ): { lengthBytes: number; contexts: readonly MetaContext[] } | Failure {
    const { contexts } = this.#session;
    const hasPayload = (operation.flags & CommandFlag.payloadLength) !== 0;
    if (!hasPayload) return { lengthBytes: operation.lengthBytes, contexts };
    const payload = decodeOrRefuse(operation.payload ?? NO_DATA);
    if ('error' in payload) return payload;
    const ids = new Set(payload.contextIds);
    const wanted = contexts.filter(({ id }) => ids.has(id));
    if (wanted.length === 0 || wanted.length !== payload.contextIds.length) {
      const message = 'Cannot blockStatus: expected negotiated contexts, each once';
      return { error: NbdError.EINVAL, message };
    }
    return { lengthBytes: payload.lengthBytes, contexts: wanted };
  }

  #askContexts(
    contexts: readonly MetaContext[],
    range: StatusRange,
    done: (statuses: BlockStatus[]) => void,
  ): void {
    const { device } = this.#session.export;
    const statuses: BlockStatus[] = [];
    let allocation: BlockStatus | null = null;
    for (const { id: contextId, name } of contexts) {
      if (name === BASE_ALLOCATION) {
        allocation = { contextId, extents: [] };
        statuses.push(allocation);
      } else {
        statuses.push({ contextId, extents: queryTargets(device, range) });
      }
    }
    if (allocation === null) {
      done(statuses);
      return;
    }
    const found = allocation;
    queryAllocation(device, range, (extents) => {
      found.extents = extents;
      done(statuses);
    });
  }

  #succeed(operation: Operation): void {
    this.#finish(operation, this.#replies.success(operation));
  }

  #failWith(operation: Operation, errno: number): void {
    const error = nbdErrorOf(errno, operation.flags);
    const what = `${commandName(operation.command)} of ${operation.lengthBytes} bytes`;
    const message = `${what} at offset ${operation.offsetBytes} failed: ${errnoName(errno)}`;
    this.#fail(operation, { error, message });
  }

  #fail(operation: Operation, failure: Failure): void {
    this.#finish(operation, this.#replies.failure(operation, failure));
  }

  #finish(operation: Operation, chunks: Uint8Array[]): void {
    assert(this.#underWay.delete(operation), 'a request is answered once');
    operation.done(chunks);
    if (this.#underWay.size > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

function decodeOrRefuse(payload: Uint8Array): BlockStatusPayload | Failure {
  try {
    return decodeBlockStatusPayload(payload);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { error: NbdError.EINVAL, message: error.message };
  }
}

const OPS = new Map<number, Op>([
  [Command.read, Op.read],
  [Command.write, Op.write],
  [Command.flush, Op.flush],
  [Command.trim, Op.discard],
  [Command.cache, Op.read],
  [Command.writeZeroes, Op.writeZeroes],
]);

/** The bio for a checked request; device, ending and a read's buffer are the caller's to set. */
function createBio(operation: Operation): Bio {
  const { command, flags, lengthBytes } = operation;
  const bio = takeBio();
  bio.op = OPS.get(command)!;
  bio.flags = bioFlags(command, flags);
  bio.sector = command === Command.flush ? 0 : operation.offsetBytes / SECTOR_BYTES;
  bio.sectorCount = sectorCount(command, lengthBytes);
  bio.data = NO_DATA;
  bio.dataOffset = 0;
  if (command === Command.write) {
    assert(operation.payload?.length === lengthBytes, 'a write comes with its payload');
    bio.data = operation.payload;
  }
  return bio;
}

function sectorCount(command: number, lengthBytes: number): number {
  if (command === Command.flush) return 0;
  // Caching is a hint: a client that names the whole export must not make us read all of it.
  const bytes = command === Command.cache ? Math.min(lengthBytes, MAX_PAYLOAD_BYTES) : lengthBytes;
  return bytes / SECTOR_BYTES;
}

function bioFlags(command: number, flags: number): number {
  if (command === Command.cache) return BioFlag.prefetch;
  if (command !== Command.write && command !== Command.writeZeroes) return 0;
  return (
    (flags & CommandFlag.fua ? BioFlag.fua : 0) |
    (flags & CommandFlag.noHole ? BioFlag.noUnmap : 0) |
    (flags & CommandFlag.fastZero ? BioFlag.fastZero : 0)
  );
}
