/**
 * Sends file ranges to the client without copying them through this process (sendfile).
 *
 * Runs inside the gate, since it reads files. When the client is slow it waits in short steps, and as soon as the main thread wants
 * the gate shut it copies what is left, leaves, and sends the copy at the client's pace: a suspend waits a millisecond, not a client.
 * What the socket holds by then are parts of the files, no copies: the gate says so, and a suspend gives the client some time to take them.
 */

import { Errno } from '../../../base/errors.ts';
import { TransferFlag } from '../../../system/file-calls.ts';
import type { System } from '../../../system/index.ts';
import type { FileRanges } from '../../data-plane/file-ranges.ts';
import type { Gate } from '../../data-plane/gate.ts';
import type { OutputBuffer } from './output-buffer.ts';

/** How long a wait for the client may keep the gate from shutting. */
const STEP_MS = 1;

export interface FileSenderOptions {
  system: Pick<System, 'descriptors' | 'files' | 'sockets'>;
  socketFd: number;
  gate: Gate;
  output: OutputBuffer;
}

export class FileSender {
  readonly #options: FileSenderOptions;

  constructor(options: FileSenderOptions) {
    this.#options = options;
  }

  /**
   * Sends what is gathered (the header) and then the ranges. Called inside the gate, returns outside. Answers how many bytes
   * the client was promised that no file gave; a client that is gone breaks the output.
   */
  send(ranges: FileRanges): number {
    const { gate, output } = this.#options;
    let missingBytes = this.#sendHeader() ? this.#sendRanges(ranges) : ranges.totalBytes;
    if (missingBytes > 0 && output.error === 0) missingBytes = this.#copyRest(ranges);
    gate.leave();
    if (output.usedBytes > 0) output.send();
    return output.error === 0 ? missingBytes : 0;
  }

  /** False: the main thread wants the gate before all of it went, or the client is gone. */
  #sendHeader(): boolean {
    const { output } = this.#options;
    while (!output.trySend()) if (!this.#mayWait()) return false;
    return output.error === 0;
  }

  /** Returns how many bytes are left when the main thread wants the gate, the client is gone, or the file gives no more. */
  #sendRanges(ranges: FileRanges): number {
    const { gate, output, socketFd, system } = this.#options;
    const { fds, positions, lengths } = ranges;
    let leftBytes = ranges.totalBytes;
    for (let index = 0; index < ranges.count; ) {
      const count = system.sockets.sendFile(
        socketFd,
        fds[index]!,
        positions[index]!,
        lengths[index]!,
      );
      if (count > 0) {
        gate.lend();
        leftBytes -= count;
        positions[index]! += count;
        lengths[index]! -= count;
        if (lengths[index] === 0) index += 1;
        continue;
      }
      if (count === -Errno.EPIPE || count === -Errno.ECONNRESET) output.break(-count);
      if (count !== -Errno.EAGAIN || !this.#mayWait()) break;
    }
    return leftBytes;
  }

  #mayWait(): boolean {
    const { gate, system, socketFd } = this.#options;
    if (gate.isShutting) return false;
    system.descriptors.waitWritable(socketFd, STEP_MS);
    return true;
  }

  /** Gathers what is left, by plain reads: also where sending from the file failed, to see whether reading does too. */
  #copyRest(ranges: FileRanges): number {
    const { output, system } = this.#options;
    let missingBytes = 0;
    for (let index = 0; index < ranges.count; index += 1) {
      const length = ranges.lengths[index]!;
      let done = missingBytes > 0 ? length : 0;
      missingBytes += done;
      while (done < length) {
        const position = ranges.positions[index]! + done;
        const [fd, at, left] = [ranges.fds[index]!, output.usedBytes, length - done];
        const count = system.files.read(fd, output.pinned, at, left, position, TransferFlag.none);
        if (count <= 0) {
          missingBytes += left;
          break;
        }
        output.commit(count);
        done += count;
      }
    }
    return missingBytes;
  }
}
