/**
 * Executes requests of one mount on the main thread and says what to reply. Everything can be executed here: worker threads
 * only take reads and writes away that are plain and quick.
 */

import { DmError, Errno, FormatError } from '../../base/errors.ts';
import {
  InitFlag,
  InitFlag2,
  MAJOR_VERSION,
  MINOR_VERSION,
  OLDEST_MINOR_VERSION,
  Opcode,
} from '../../protocols/fuse/constants.ts';
import {
  emptyReply,
  encodeReplyHeader,
  initReply,
  openedHandle,
} from '../../protocols/fuse/reply.ts';
import { decodeInit } from '../../protocols/fuse/request.ts';
import { type Answer, FuseRequest, type Operations } from './fuse-request.ts';

const WANTED_FLAGS =
  InitFlag.asyncRead |
  InitFlag.bigWrites |
  InitFlag.readdirplus |
  InitFlag.readdirplusAuto |
  InitFlag.asyncDirectIo |
  InitFlag.parallelDirectoryOperations |
  InitFlag.maxPages |
  InitFlag.extended;

/** Gets the whole reply, or null when the kernel expects none; answers whether it was taken. Called once for each request. */
export type ReplyCallback = (reply: Uint8Array | null) => boolean;

export interface SessionEvents {
  /** Told of what should not happen. */
  report(message: string): void;
  /** Nobody heard that the file was opened, so nobody will release it. */
  openFailed(handle: number): void;
}

export class FuseSession {
  readonly #operations: Operations;
  readonly #events: SessionEvents;
  #underWayCount = 0;
  #idle: (() => void)[] = [];

  constructor(operations: Operations, events: SessionEvents) {
    this.#operations = { ...sessionOperations, ...operations };
    this.#events = events;
  }

  /** Requests that were not answered yet. */
  get underWayCount(): number {
    return this.#underWayCount;
  }

  /** Resolves when every request is answered. */
  drained(): Promise<void> {
    if (this.#underWayCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  /** Never throws: what is no request cannot be answered and is reported. */
  execute(bytes: Uint8Array, done: ReplyCallback): void {
    const request = this.#parse(bytes);
    if (request === null) {
      done(null);
      return;
    }
    this.#underWayCount += 1;
    const finish = (answer: Answer) => {
      const isTaken = done(encodeAnswer(request, answer));
      if (!isTaken && request.header.opcode === Opcode.open && answer instanceof Uint8Array) {
        this.#events.openFailed(openedHandle(answer));
      }
      this.#underWayCount -= 1;
      if (this.#underWayCount === 0) for (const resolve of this.#idle.splice(0)) resolve();
    };
    try {
      const answer = this.#run(request);
      if (answer instanceof Promise)
        answer.then(finish, (error: unknown) => finish(this.#errnoOf(error)));
      else finish(answer);
    } catch (error) {
      finish(this.#errnoOf(error));
    }
  }

  #parse(bytes: Uint8Array): FuseRequest | null {
    try {
      return new FuseRequest(bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#events.report(error.message);
      return null;
    }
  }

  #run(request: FuseRequest): Answer | Promise<Answer> {
    const operation = this.#operations[request.header.opcode];
    return operation === undefined ? Errno.ENOSYS : operation(request);
  }

  #errnoOf(error: unknown): number {
    if (error instanceof DmError) return error.errno;
    this.#events.report(error instanceof Error ? error.message : String(error));
    return error instanceof FormatError ? Errno.EINVAL : Errno.EIO;
  }
}

function encodeAnswer({ header }: FuseRequest, answer: Answer): Uint8Array | null {
  if (answer === null) return null;
  const reply = typeof answer === 'number' ? emptyReply() : answer;
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  encodeReplyHeader(view, reply.length, typeof answer === 'number' ? answer : 0, header);
  return reply;
}

/** What is about the mount and not about a file of it. The kernel stops asking for what answers ENOSYS once. */
const sessionOperations: Operations = {
  [Opcode.init]: initialize,
  [Opcode.destroy]: () => emptyReply(),
  // What it is about is under way below and ends when it ends, as on a block device.
  [Opcode.interrupt]: () => null,
  // Nothing is held back here, so closing has nothing to write.
  [Opcode.flush]: () => Errno.ENOSYS,
  [Opcode.poll]: () => Errno.ENOSYS,
  [Opcode.access]: () => Errno.ENOSYS,
};

function initialize({ view, countBytes }: FuseRequest): Answer {
  const asked = decodeInit(view, countBytes);
  const isTooOld = asked.major < MAJOR_VERSION || asked.minor < OLDEST_MINOR_VERSION;
  if (isTooOld && asked.major <= MAJOR_VERSION) return Errno.EPROTO;
  // A kernel of a later major version reads this much of the answer and asks again as version 7.
  const hasExtension = (asked.flags & InitFlag.extended) !== 0;
  return initReply({
    minor: Math.min(asked.minor, MINOR_VERSION),
    maxReadaheadBytes: asked.maxReadaheadBytes,
    flags: asked.flags & WANTED_FLAGS,
    flags2: hasExtension ? asked.flags2 & InitFlag2.directIoAllowMmap : 0,
  });
}
