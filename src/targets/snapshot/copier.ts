/**
 * Copies ranges from one device to others: the kernel's kcopyd.
 *
 * Invariants
 * - The buffers of all copies together have at most `LIMIT_BYTES`; what finds no room waits its turn, in the order it came.
 * - A long copy goes piece by piece and queues for each, so that it holds up no other.
 * - Copies of one range that are asked for together share one read and one buffer. Each is told of its own write alone.
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
/** And what remembers a copy: as many as those buffers serve if they are small. */
const SPARE_COPIES = 256;

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
  readonly #spareCopies: Copy[] = [];
  #isPumping = false;
  /** Those that are asked for together; and of each first sector the last, since snapshots come by the size of their chunks. */
  #gathered: Copy[] = [];
  readonly #lastOf = new Map<number, Copy>();
  #isGathering = false;

  constructor(memory: TargetMemory) {
    this.#memory = memory;
  }

  copy(request: CopyRequest, onEnd: CopyEnd): void {
    const alike = this.#isGathering ? this.#lastOf.get(request.sourceSector) : undefined;
    if (alike?.hasSource(request)) {
      alike.addTarget(request, onEnd);
      return;
    }
    const copy = this.#spareCopies.pop() ?? new Copy(this);
    copy.begin(request);
    copy.addTarget(request, onEnd);
    if (!this.#isGathering) {
      this.enqueue(copy);
      return;
    }
    this.#gathered.push(copy);
    this.#lastOf.set(request.sourceSector, copy);
  }

  /** What is asked for from now on waits for `startGathered`: nothing writes to the source in between. */
  gather(): void {
    assert(!this.#isGathering, 'copies are gathered for one at a time');
    this.#isGathering = true;
  }

  startGathered(): void {
    this.#isGathering = false;
    if (this.#gathered.length === 0) return;
    const copies = this.#gathered;
    this.#gathered = [];
    this.#lastOf.clear();
    for (const copy of copies) this.enqueue(copy);
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
    const spare = this.#spare;
    // Nearly always all chunks have one size.
    for (let index = spare.length - 1; index >= 0; index -= 1) {
      const buffer = spare[index]!;
      if (buffer.byteLength !== pieceBytes) continue;
      this.#spareBytes -= pieceBytes;
      spare[index] = spare.at(-1)!;
      spare.pop();
      return buffer;
    }
    return this.#memory.takeMemory(pieceBytes);
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

  /** It is over, everybody was told, and the buffer is back. */
  ended(copy: Copy): void {
    if (this.#spareCopies.length < SPARE_COPIES) this.#spareCopies.push(copy);
    this.#pump();
  }

  /** Nothing is copied any more. */
  close(): void {
    assert(this.#usedBytes === 0, 'every copy gave its buffer back');
    for (const buffer of this.#spare.splice(0)) this.#memory.freeMemory(buffer);
    this.#spareBytes = 0;
    this.#spareCopies.length = 0;
  }
}

/** One range on its way, to one target or several; used again for the next, with its bios. */
class Copy {
  inBackground = false;
  readonly #copier: Copier;
  #sourceSector = 0;
  #sectorCount = 0;
  #doneSectors = 0;
  #buffer: Uint8Array | null = null;
  readonly #readBio = new Bio();
  /** The first `#targetCount` are in use. */
  readonly #targets: CopyTarget[] = [];
  #targetCount = 0;
  #writingCount = 0;

  constructor(copier: Copier) {
    this.#copier = copier;
  }

  begin({ sourceSector, sectorCount, inBackground }: CopyRequest): void {
    this.#sourceSector = sourceSector;
    this.#sectorCount = sectorCount;
    this.inBackground = inBackground;
    this.#doneSectors = 0;
    this.#targetCount = 0;
  }

  /** Each table has the device opened for itself: by its number it is the same. */
  hasSource({ source, sourceSector, sectorCount, inBackground }: CopyRequest): boolean {
    const isRange = this.#sourceSector === sourceSector && this.#sectorCount === sectorCount;
    if (!isRange || this.inBackground !== inBackground) return false;
    const { major, minor } = this.#targets[0]!.source.number;
    return source.number.major === major && source.number.minor === minor;
  }

  addTarget(request: CopyRequest, onEnd: CopyEnd): void {
    const unused = this.#targets[this.#targetCount];
    if (unused === undefined) this.#targets.push(new CopyTarget(this, request, onEnd));
    else unused.begin(request, onEnd);
    this.#targetCount += 1;
  }

  get #pieceSectors(): number {
    return Math.min(PIECE_SECTORS, this.#sectorCount - this.#doneSectors);
  }

  get pieceBytes(): number {
    return sectorsToBytes(this.#pieceSectors);
  }

  get #isLastPiece(): boolean {
    return this.#doneSectors + this.#pieceSectors === this.#sectorCount;
  }

  startPiece(): void {
    this.#buffer = this.#copier.takeBuffer(this);
    this.submit(this.#readBio, Op.read, this.#source, this.#sourceSector, this.#hasRead);
  }

  /** Of somebody who still waits: whoever was told that it is over may close what is its own. */
  get #source(): BlockDevice {
    for (let index = 0; index < this.#targetCount; index += 1) {
      const { isOver, source } = this.#targets[index]!;
      if (!isOver) return source;
    }
    throw new Error('Bug in devmapper: a copy that nobody waits for goes on');
  }

  /** The piece's place from `firstSector` on. */
  submit(
    bio: Bio,
    op: Op,
    device: BlockDevice,
    firstSector: number,
    onEnd: (bio: Bio) => void,
  ): void {
    bio.op = op;
    bio.device = device;
    bio.sector = firstSector + this.#doneSectors;
    bio.sectorCount = this.#pieceSectors;
    bio.data = this.#buffer!;
    bio.startMs = 0;
    bio.endMs = 0;
    bio.error = 0;
    bio.onEnd = onEnd;
    device.submit(bio);
  }

  readonly #hasRead = ({ error }: Bio): void => {
    // Once for itself, so that writes that end at once do not end the piece before the last has begun.
    this.#writingCount = 1;
    for (let index = 0; index < this.#targetCount; index += 1) {
      const target = this.#targets[index]!;
      if (target.isOver) continue;
      this.#writingCount += 1;
      if (error === 0) target.write();
      else this.#targetEnded(target, 'read failed');
    }
    this.#writeEnded();
    if (this.#writingCount === 0) this.#endPiece();
  };

  /** Called by a target. */
  hasWritten(target: CopyTarget, error: number): void {
    if (error !== 0) this.#targetEnded(target, 'write failed');
    else if (this.#isLastPiece) this.#targetEnded(target, 'done');
    else this.#writeEnded();
    if (this.#writingCount === 0) this.#endPiece();
  }

  #targetEnded(target: CopyTarget, outcome: Parameters<CopyEnd>[0]): void {
    target.isOver = true;
    this.#writeEnded();
    target.onEnd(outcome);
  }

  #writeEnded(): void {
    this.#writingCount -= 1;
    if (this.#writingCount > 0) return;
    this.#copier.giveBack(this, this.#buffer!);
    this.#buffer = null;
  }

  #endPiece(): void {
    let isOver = true;
    for (let index = 0; index < this.#targetCount; index += 1) {
      if (!this.#targets[index]!.isOver) isOver = false;
    }
    if (isOver) {
      this.#copier.ended(this);
      return;
    }
    this.#doneSectors += this.#pieceSectors;
    this.#copier.enqueue(this);
  }
}

/** Where a copy goes, and who asked for it. */
class CopyTarget {
  /** Whoever asked for it was told. */
  isOver = false;
  source: BlockDevice;
  onEnd: CopyEnd;
  readonly #copy: Copy;
  readonly #bio = new Bio();
  #device: BlockDevice;
  #sector: number;

  constructor(copy: Copy, request: CopyRequest, onEnd: CopyEnd) {
    this.#copy = copy;
    this.source = request.source;
    this.#device = request.target;
    this.#sector = request.targetSector;
    this.onEnd = onEnd;
  }

  begin(request: CopyRequest, onEnd: CopyEnd): void {
    this.source = request.source;
    this.#device = request.target;
    this.#sector = request.targetSector;
    this.onEnd = onEnd;
    this.isOver = false;
  }

  write(): void {
    this.#copy.submit(this.#bio, Op.write, this.#device, this.#sector, this.#written);
  }

  readonly #written = ({ error }: Bio): void => {
    this.#copy.hasWritten(this, error);
  };
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
