/**
 * A bio on its way to the server: cut to what the server takes, with what the server lacks made from what it has.
 *
 * - FUA without the flag: the write, then a flush
 * - write zeroes without the command: writes of zeroes
 * - trim without the command: ENOTSUP; prefetch without the command: nothing, since it is a hint
 * - flush without the command: nothing, since such a server keeps no writes back, or could not be told to save them
 * - block status without the context: nothing, which reads as data everywhere
 */

import { Errno } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { type Bio, BioFlag, Op } from '../../core/bio.ts';
import { ExtentFlag } from '../../core/extents.ts';
import {
  AllocationFlag,
  Command,
  CommandFlag,
  TransmissionFlag,
} from '../../protocols/nbd/constants.ts';
import { type ExportInfo, has } from './export-info.ts';
import type { RemoteExport } from './remote-export.ts';
import {
  type RemoteRequest,
  type RequestOwner,
  recycleRequest,
  takeRequest,
} from './remote-request.ts';

/** Pieces of one bio under way at a time: enough to keep a connection busy, too few to crowd out others. */
const WINDOW = 16;
/** Zeroes that stand in for a missing command go out in writes of this size. */
const ZEROES_BYTES = 256 * 1024;
/** Lengths of compact requests have 32 bits. */
const STATUS_LIMIT_BYTES = 1024 * 1024 * 1024;
/** Questions about one range, to a server that answers in crumbs; the rest counts as data. */
const STATUS_QUESTION_LIMIT = 4096;

let zeroes: Uint8Array | null = null;

export class Job implements RequestOwner {
  #remote!: RemoteExport;
  #bio!: Bio;
  #command: number = Command.read;
  #flags = 0;
  /** What is still to be sent, in bytes of the export. */
  #at = 0;
  #end = 0;
  #pieceBytes = 0;
  #pendingCount = 0;
  #error = 0;
  #flushAfter = false;
  #questionCount = 0;
  #issuing = false;

  /** Takes the bio over and ends it, perhaps at once. */
  static start(remote: RemoteExport, bio: Bio): void {
    const job = pool.pop() ?? new Job();
    job.#remote = remote;
    job.#bio = bio;
    job.#at = bio.sector * SECTOR_BYTES;
    job.#end = job.#at + bio.sectorCount * SECTOR_BYTES;
    job.#flags = 0;
    job.#error = 0;
    job.#flushAfter = false;
    job.#questionCount = 0;
    const refusal = job.#plan(bio, remote.info);
    if (refusal !== null) job.#finish(refusal);
    else if (job.#command === Command.flush) job.#issueFlush();
    else job.#advance();
  }

  /** Chooses command, flags and size of the pieces; an errno (0: success) when there is nothing to send. */
  #plan(bio: Bio, info: ExportInfo): number | null {
    this.#pieceBytes = info.maxPayloadBytes;
    switch (bio.op) {
      case Op.read:
        this.#command = (bio.flags & BioFlag.prefetch) === 0 ? Command.read : Command.cache;
        return this.#command === Command.read || has(info, TransmissionFlag.sendCache) ? null : 0;
      case Op.write:
        this.#command = Command.write;
        this.#planFua(bio, info);
        return null;
      case Op.flush:
        this.#command = Command.flush;
        return has(info, TransmissionFlag.sendFlush) ? null : 0;
      case Op.discard:
        this.#command = Command.trim;
        this.#planFua(bio, info);
        return has(info, TransmissionFlag.sendTrim) ? null : Errno.ENOTSUP;
      case Op.writeZeroes:
        this.#planFua(bio, info);
        return this.#planWriteZeroes(bio, info);
      case Op.blockStatus:
        this.#command = Command.blockStatus;
        this.#pieceBytes = STATUS_LIMIT_BYTES;
        return info.allocationContextId !== null && bio.extents ? null : 0;
    }
  }

  #planFua(bio: Bio, info: ExportInfo): void {
    if ((bio.flags & BioFlag.fua) === 0) return;
    if (has(info, TransmissionFlag.sendFua)) this.#flags |= CommandFlag.fua;
    else this.#flushAfter = has(info, TransmissionFlag.sendFlush);
  }

  #planWriteZeroes(bio: Bio, info: ExportInfo): number | null {
    const fast = (bio.flags & BioFlag.fastZero) !== 0;
    if (fast && !has(info, TransmissionFlag.sendFastZero)) return Errno.ENOTSUP;
    if (has(info, TransmissionFlag.sendWriteZeroes)) {
      this.#command = Command.writeZeroes;
      if (fast) this.#flags |= CommandFlag.fastZero;
      if ((bio.flags & BioFlag.noUnmap) !== 0) this.#flags |= CommandFlag.noHole;
      return null;
    }
    if (fast) return Errno.ENOTSUP;
    this.#command = Command.write;
    this.#pieceBytes = Math.min(this.#pieceBytes, ZEROES_BYTES);
    return null;
  }

  /** Sends as many pieces as the window allows, and ends the bio when the last has come back. */
  #advance(): void {
    // Requests may end while they are being sent; the loop that sends them goes on then.
    if (this.#issuing) return;
    this.#issuing = true;
    const window = this.#command === Command.blockStatus ? 1 : WINDOW;
    while (this.#at < this.#end && this.#error === 0 && this.#pendingCount < window) {
      this.#issuePiece();
    }
    this.#issuing = false;
    if (this.#pendingCount > 0) return;
    if (this.#flushAfter && this.#error === 0) {
      this.#flushAfter = false;
      this.#issueFlush();
      return;
    }
    this.#finish(this.#error);
  }

  #issuePiece(): void {
    const request = takeRequest();
    const lengthBytes = Math.min(this.#pieceBytes, this.#end - this.#at);
    request.command = this.#command;
    request.flags = this.#flags;
    request.offsetBytes = this.#at;
    request.lengthBytes = lengthBytes;
    request.owner = this;
    if (this.#command === Command.read || this.#command === Command.write)
      this.#attachData(request);
    this.#at += lengthBytes;
    this.#pendingCount += 1;
    this.#remote.send(request);
  }

  #attachData(request: RemoteRequest): void {
    const bio = this.#bio;
    if (bio.op === Op.writeZeroes) {
      zeroes ??= new Uint8Array(ZEROES_BYTES);
      request.data = zeroes;
      request.dataOffset = 0;
      return;
    }
    request.data = bio.data;
    request.dataOffset = bio.dataOffset + request.offsetBytes - bio.sector * SECTOR_BYTES;
  }

  #issueFlush(): void {
    const request = takeRequest();
    request.command = Command.flush;
    request.offsetBytes = 0;
    request.lengthBytes = 0;
    request.owner = this;
    request.quietAboutLoss = this.#bio.op !== Op.flush;
    this.#at = this.#end;
    this.#pendingCount += 1;
    this.#remote.send(request);
  }

  requestEnded(request: RemoteRequest, errno: number): void {
    this.#pendingCount -= 1;
    if (errno !== 0 && this.#error === 0) this.#error = errno;
    if (errno === 0 && request.command === Command.blockStatus) this.#addExtents(request);
    recycleRequest(request);
    this.#advance();
  }

  /** Takes an answer over, and asks next about what it leaves out. */
  #addExtents(request: RemoteRequest): void {
    const bio = this.#bio;
    const start = request.offsetBytes - bio.sector * SECTOR_BYTES;
    const limit = start + request.lengthBytes;
    let at = start;
    for (const { lengthBytes, flags } of request.extents!) {
      const end = Math.min(at + lengthBytes, limit);
      addWholeSectors(bio, { start: at, end, flags });
      at = end;
      if (at === limit) break;
    }
    const blockBytes = this.#remote.info.minimumBytes;
    const answered = Math.max(at - start - ((at - start) % blockBytes), blockBytes);
    this.#questionCount += 1;
    this.#at = Math.min(request.offsetBytes + answered, this.#end);
    if (this.#questionCount >= STATUS_QUESTION_LIMIT) this.#at = this.#end;
  }

  #finish(errno: number): void {
    const bio = this.#bio;
    if (pool.length < POOL_LIMIT) pool.push(this);
    bio.end(errno);
  }
}

/** A sector that an extent covers in part is left undescribed, which means data. */
function addWholeSectors(bio: Bio, range: { start: number; end: number; flags: number }): void {
  const first = Math.ceil(range.start / SECTOR_BYTES);
  const end = Math.floor(range.end / SECTOR_BYTES);
  const hole = (range.flags & AllocationFlag.hole) === 0 ? 0 : ExtentFlag.hole;
  const zero = (range.flags & AllocationFlag.zero) === 0 ? 0 : ExtentFlag.zero;
  bio.extents!.add(first, end - first, hole | zero);
}

const pool: Job[] = [];
const POOL_LIMIT = 1024;
