/**
 * Sends file ranges to the client without copying them through this process (sendfile).
 *
 * Runs inside the gate, since it reads files. When the client is slow it waits in short steps, and as soon as the main thread wants
 * the gate shut it copies what is left, leaves, and sends the copy at the client's pace: a suspend waits a millisecond, not a client.
 */

import { Errno } from '../../../base/errors.ts';
import { TransferFlag } from '../../../system/file-calls.ts';
import type { System } from '../../../system/index.ts';
import type { FileRanges } from './file-ranges.ts';
import type { Gate } from './gate.ts';
import type { OutputBuffer } from './output-buffer.ts';

/** How long a wait for the client may keep the gate from shutting. */
const STEP_MS = 1;

export interface FileSenderOptions {
  system: System;
  socketFd: number;
  gate: Gate;
  output: OutputBuffer;
}

/** What became of it: everything is sent, or a file gave less than it should, or the client is gone. */
export interface SendOutcome {
  /** Bytes of data that the client was promised and that no file gave. */
  missingBytes: number;
  /** errno of the socket, 0 when it works. */
  socketError: number;
}

export class FileSender {
  readonly #options: FileSenderOptions;
  readonly #outcome: SendOutcome = { missingBytes: 0, socketError: 0 };

  constructor(options: FileSenderOptions) {
    this.#options = options;
  }

  /** Sends what is gathered (the header) and then the ranges. Called inside the gate, returns outside. */
  send(ranges: FileRanges): SendOutcome {
    const outcome = this.#outcome;
    outcome.missingBytes = ranges.totalBytes;
    outcome.socketError = this.#sendHeader();
    let index = 0;
    while (outcome.socketError === 0 && index < ranges.count) {
      const count = this.#sendSome(ranges, index);
      if (count > 0) {
        outcome.missingBytes -= count;
        if (ranges.lengths[index] === 0) index += 1;
      } else if (count === -Errno.EAGAIN) {
        if (this.#mayWait()) continue;
        return this.#copyRest(ranges, index);
      } else if (count === -Errno.EPIPE || count === -Errno.ECONNRESET) {
        outcome.socketError = -count;
      } else {
        break;
      }
    }
    this.#options.gate.leave();
    return outcome;
  }

  /** 0 also when the main thread wants the gate: the header is then still gathered, and goes with the copy. */
  #sendHeader(): number {
    const { output } = this.#options;
    for (;;) {
      const error = output.trySend();
      if (error !== Errno.EAGAIN) return error;
      if (!this.#mayWait()) return 0;
    }
  }

  /** One sendfile of what is left of a range; answers its count or a negative errno. */
  #sendSome(ranges: FileRanges, index: number): number {
    const { system, socketFd, output } = this.#options;
    if (output.usedBytes > 0) return -Errno.EAGAIN;
    const length = ranges.lengths[index]!;
    const position = ranges.positions[index]!;
    const count = system.sockets.sendFile(socketFd, ranges.fds[index]!, position, length);
    if (count <= 0) return count;
    ranges.positions[index] = position + count;
    ranges.lengths[index] = length - count;
    return count;
  }

  #mayWait(): boolean {
    const { gate, system, socketFd } = this.#options;
    if (gate.isShutting) return false;
    system.descriptors.waitWritable(socketFd, STEP_MS);
    return true;
  }

  #copyRest(ranges: FileRanges, first: number): SendOutcome {
    const { gate, output, system } = this.#options;
    const outcome = this.#outcome;
    for (let index = first; index < ranges.count; index += 1) {
      const length = ranges.lengths[index]!;
      const position = ranges.positions[index]!;
      const at = output.usedBytes;
      const fd = ranges.fds[index]!;
      const count = system.files.read(fd, output.pinned, at, length, position, TransferFlag.none);
      if (count > 0) {
        output.commit(count);
        outcome.missingBytes -= count;
      }
      if (count !== length) break;
    }
    gate.leave();
    outcome.socketError = output.send();
    return outcome;
  }
}
