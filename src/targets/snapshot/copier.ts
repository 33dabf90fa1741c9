/**
 * Copies ranges from one device to another: the kernel's kcopyd.
 *
 * Invariants
 * - The buffers of all copies together have at most `LIMIT_BYTES`; what finds no room waits its turn, in the order it came.
 * - A long copy goes piece by piece and queues for each, so that it holds up no other.
 * - What is done in the background begins a piece only when nothing else waits, and has at most a quarter of the room.
 */

import { assert } from '../../base/assert.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { Bio, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { TargetMemory } from '../../core/target-memory.ts';

/** As much as one read and one write move at once. */
const PIECE_BYTES = 256 * 1024;
const PIECE_SECTORS = PIECE_BYTES / SECTOR_BYTES;
const LIMIT_BYTES = 4 * 1024 * 1024;
const BACKGROUND_BYTES = LIMIT_BYTES / 4;
/** Buffers that are kept for the next copies. */
const SPARE_BYTES = 1024 * 1024;

export interface CopyRequest {
  readonly source: BlockDevice;
  readonly sourceSector: number;
  readonly target: BlockDevice;
  readonly targetSector: number;
  readonly sectorCount: number;
  readonly inBackground: boolean;
}

export type CopyEnd = (outcome: 'done' | 'read failed' | 'write failed') => void;

export class Copier {
  readonly #memory: TargetMemory;
  #waiting: Queue = new Queue();
  #background: Queue = new Queue();
  #usedBytes = 0;
  #usedInBackgroundBytes = 0;
  readonly #spare: Uint8Array[] = [];
  #spareBytes = 0;
  #isPumping = false;

  constructor(memory: TargetMemory) {
    this.#memory = memory;
  }

  /** Whether copies wait for room, so that less urgent work should stand back. */
  get isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  copy(request: CopyRequest, onEnd: CopyEnd): void {
    this.enqueue(new Copy(this, request, onEnd));
  }

  /** For a copy's next piece. */
  enqueue(copy: Copy): void {
    (copy.inBackground ? this.#background : this.#waiting).push(copy);
    this.#pump();
  }

  /** Not from within itself, so that devices that answer at once make no deep stack. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let copy = this.#takeNext(); copy !== null; copy = this.#takeNext()) copy.startPiece();
    this.#isPumping = false;
  }

  #takeNext(): Copy | null {
    const first = this.#waiting.first;
    if (first !== null) {
      return this.#usedBytes + first.pieceBytes <= LIMIT_BYTES ? this.#waiting.take() : null;
    }
    const behind = this.#background.first;
    if (behind === null || this.#usedBytes + behind.pieceBytes > LIMIT_BYTES) return null;
    const isRoom = this.#usedInBackgroundBytes + behind.pieceBytes <= BACKGROUND_BYTES;
    return isRoom ? this.#background.take() : null;
  }

  takeBuffer(copy: Copy): Uint8Array {
    const { pieceBytes } = copy;
    this.#usedBytes += pieceBytes;
    if (copy.inBackground) this.#usedInBackgroundBytes += pieceBytes;
    const index = this.#spare.findLastIndex(({ byteLength }) => byteLength === pieceBytes);
    if (index < 0) return this.#memory.takeMemory(pieceBytes);
    this.#spareBytes -= pieceBytes;
    return this.#spare.splice(index, 1)[0]!;
  }

  giveBack(copy: Copy, buffer: Uint8Array): void {
    this.#usedBytes -= buffer.byteLength;
    if (copy.inBackground) this.#usedInBackgroundBytes -= buffer.byteLength;
    if (this.#spareBytes + buffer.byteLength > SPARE_BYTES) {
      this.#memory.freeMemory(buffer);
      return;
    }
    this.#spare.push(buffer);
    this.#spareBytes += buffer.byteLength;
  }

  /** A copy has ended and given its buffer back. */
  proceed(): void {
    this.#pump();
  }

  /** Nothing is copied any more. */
  close(): void {
    assert(this.#usedBytes === 0, 'every copy gave its buffer back');
    for (const buffer of this.#spare.splice(0)) this.#memory.freeMemory(buffer);
    this.#spareBytes = 0;
  }
}

/** One request on its way. The same bio reads and writes every piece. */
class Copy {
  readonly #copier: Copier;
  readonly #request: CopyRequest;
  readonly #onEnd: CopyEnd;
  readonly #bio = new Bio();
  #doneSectors = 0;
  #buffer: Uint8Array | null = null;

  constructor(copier: Copier, request: CopyRequest, onEnd: CopyEnd) {
    this.#copier = copier;
    this.#request = request;
    this.#onEnd = onEnd;
  }

  get inBackground(): boolean {
    return this.#request.inBackground;
  }

  get #pieceSectors(): number {
    return Math.min(PIECE_SECTORS, this.#request.sectorCount - this.#doneSectors);
  }

  get pieceBytes(): number {
    return sectorsToBytes(this.#pieceSectors);
  }

  startPiece(): void {
    const { source, sourceSector } = this.#request;
    this.#buffer = this.#copier.takeBuffer(this);
    this.#submit(Op.read, source, sourceSector + this.#doneSectors, this.#hasRead);
  }

  #submit(op: Op, device: BlockDevice, sector: number, onEnd: (bio: Bio) => void): void {
    const bio = this.#bio;
    bio.op = op;
    bio.device = device;
    bio.sector = sector;
    bio.sectorCount = this.#pieceSectors;
    bio.data = this.#buffer!;
    bio.startMs = 0;
    bio.endMs = 0;
    bio.error = 0;
    bio.onEnd = onEnd;
    device.submit(bio);
  }

  readonly #hasRead = ({ error }: Bio): void => {
    if (error !== 0) {
      this.#end('read failed');
      return;
    }
    const { target, targetSector } = this.#request;
    this.#submit(Op.write, target, targetSector + this.#doneSectors, this.#hasWritten);
  };

  readonly #hasWritten = ({ error }: Bio): void => {
    if (error !== 0) {
      this.#end('write failed');
      return;
    }
    const pieceSectors = this.#pieceSectors;
    if (this.#doneSectors + pieceSectors === this.#request.sectorCount) {
      this.#end('done');
      return;
    }
    this.#releaseBuffer();
    this.#doneSectors += pieceSectors;
    this.#copier.enqueue(this);
  };

  #releaseBuffer(): void {
    this.#copier.giveBack(this, this.#buffer!);
    this.#buffer = null;
  }

  #end(outcome: Parameters<CopyEnd>[0]): void {
    this.#releaseBuffer();
    this.#onEnd(outcome);
    this.#copier.proceed();
  }
}

/** First in, first out, without moving the rest at each. */
class Queue {
  #items: Copy[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): Copy | null {
    return this.#items[this.#head] ?? null;
  }

  push(copy: Copy): void {
    this.#items.push(copy);
  }

  take(): Copy {
    const copy = this.#items[this.#head]!;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return copy;
  }
}
