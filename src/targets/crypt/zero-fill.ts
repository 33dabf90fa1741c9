/** A request for zeroes, done by writing the ciphertext of zeroes, a piece after the other. */

import { SECTOR_BYTES } from '../../base/units.ts';
import { type Bio, BioFlag, Op, recycleBio, takeBio } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { BOUNCE_BYTES, type BouncePool, type BounceWaiter } from './bounce-pool.ts';

/** What it is of a target that a piece needs. */
export interface ZeroFillOptions {
  pool: BouncePool;
  target: {
    encrypt(
      source: Uint8Array,
      sourceOffset: number,
      bounce: Uint8Array,
      lengthBytes: number,
      sector: number,
    ): void;
  };
  device: BlockDevice;
  /** From a sector of the mapped device to that of `device`. */
  offset: number;
}

const ZEROES = new Uint8Array(BOUNCE_BYTES);
const PIECE_SECTORS = BOUNCE_BYTES / SECTOR_BYTES;
/** A device that answers at once must not keep the thread from everybody else. */
const PIECES_PER_TURN = 64;

export class ZeroFill implements BounceWaiter {
  readonly #bio: Bio;
  readonly #options: ZeroFillOptions;
  #doneSectors = 0;
  #error = 0;
  /** Pieces that end at once are gone on with by the loop in `run`, so that they do not pile up on the stack. */
  #isRunning = false;
  #isWaiting = false;

  constructor(bio: Bio, options: ZeroFillOptions) {
    this.#bio = bio;
    this.#options = options;
  }

  run(): void {
    this.#isRunning = true;
    let pieceCount = 0;
    while (!this.#isWaiting && !this.#isDone && pieceCount < PIECES_PER_TURN) {
      pieceCount += 1;
      this.#isWaiting = true;
      const bounce = this.#options.pool.take();
      if (bounce === null) this.#options.pool.wait(this);
      else this.start(bounce);
    }
    this.#isRunning = false;
    if (this.#isWaiting) return;
    if (this.#isDone) this.#bio.end(this.#error);
    else setImmediate(() => this.run());
  }

  get #isDone(): boolean {
    return this.#error !== 0 || this.#doneSectors === this.#bio.sectorCount;
  }

  start(bounce: Uint8Array): void {
    const { target, device, offset } = this.#options;
    const left = this.#bio.sectorCount - this.#doneSectors;
    const sectorCount = Math.min(left, PIECE_SECTORS);
    const sector = this.#bio.sector + this.#doneSectors;
    target.encrypt(ZEROES, 0, bounce, sectorCount * SECTOR_BYTES, sector);
    const piece = takeBio();
    piece.op = Op.write;
    piece.flags = this.#bio.flags & BioFlag.fua;
    piece.device = device;
    piece.sector = sector + offset;
    piece.sectorCount = sectorCount;
    piece.data = bounce;
    piece.dataOffset = 0;
    piece.startMs = this.#bio.startMs;
    piece.onEnd = (ended) => this.#ended(ended);
    device.submit(piece);
  }

  #ended(piece: Bio): void {
    const { data, sectorCount, error } = piece;
    recycleBio(piece);
    this.#error = error;
    this.#doneSectors += sectorCount;
    this.#options.pool.giveBack(data);
    this.#isWaiting = false;
    if (!this.#isRunning) this.run();
  }
}
