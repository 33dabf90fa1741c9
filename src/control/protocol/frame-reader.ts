/**
 * Puts frames together from whatever pieces a stream delivers.
 *
 * Invariants
 * - Memory for a body grows with what has arrived, never with what a header only promises: at most twice that and one step.
 * - The memory of a frame belongs to that frame alone, so that its receiver can wipe it.
 */

export interface FrameShape<Frame> {
  headerBytes: number;
  /** How much follows the header. Throws FormatError for a header that cannot be. */
  bodyBytes(header: Uint8Array): number;
  decode(header: Uint8Array, body: Uint8Array): Frame;
}

const FIRST_BODY_BYTES = 64 * 1024;

export class FrameReader<Frame> {
  readonly #shape: FrameShape<Frame>;
  readonly #header: Uint8Array;
  #headerFilled = 0;
  /** Memory for the body so far; null while the header is incomplete. */
  #body: Uint8Array | null = null;
  #bodyBytes = 0;
  #bodyFilled = 0;

  constructor(shape: FrameShape<Frame>) {
    this.#shape = shape;
    this.#header = new Uint8Array(shape.headerBytes);
  }

  /** Bytes of the frame that is not complete yet; 0 between frames. */
  get pendingBytes(): number {
    return this.#headerFilled + this.#bodyFilled;
  }

  /** Takes from `input` until a frame is complete or nothing is left; says how much it took. Throws FormatError. */
  read(input: Uint8Array): { frame: Frame | null; takenBytes: number } {
    let takenBytes = this.#takeHeader(input);
    if (this.#headerFilled < this.#shape.headerBytes) return { frame: null, takenBytes };
    if (this.#body === null) this.#startBody();
    takenBytes += this.#takeBody(input.subarray(takenBytes));
    if (this.#bodyFilled < this.#bodyBytes) return { frame: null, takenBytes };
    return { frame: this.#finish(), takenBytes };
  }

  /** Overwrites what has arrived of an incomplete frame: it may be a key. */
  wipe(): void {
    this.#body?.fill(0);
    this.#body = null;
    this.#headerFilled = 0;
    this.#bodyFilled = 0;
  }

  #takeHeader(input: Uint8Array): number {
    const count = Math.min(input.byteLength, this.#shape.headerBytes - this.#headerFilled);
    this.#header.set(input.subarray(0, count), this.#headerFilled);
    this.#headerFilled += count;
    return count;
  }

  #startBody(): void {
    this.#bodyBytes = this.#shape.bodyBytes(this.#header);
    this.#body = new Uint8Array(Math.min(this.#bodyBytes, FIRST_BODY_BYTES));
    this.#bodyFilled = 0;
  }

  #takeBody(input: Uint8Array): number {
    const count = Math.min(input.byteLength, this.#bodyBytes - this.#bodyFilled);
    const body = this.#bodyWithRoomFor(this.#bodyFilled + count);
    body.set(input.subarray(0, count), this.#bodyFilled);
    this.#bodyFilled += count;
    return count;
  }

  #bodyWithRoomFor(lengthBytes: number): Uint8Array {
    const before = this.#body ?? new Uint8Array(0);
    if (lengthBytes <= before.byteLength) return before;
    const size = Math.min(this.#bodyBytes, Math.max(lengthBytes, 2 * before.byteLength));
    const grown = new Uint8Array(size);
    grown.set(before.subarray(0, this.#bodyFilled));
    before.fill(0);
    this.#body = grown;
    return grown;
  }

  #finish(): Frame {
    const body = this.#body ?? new Uint8Array(0);
    const frame = this.#shape.decode(this.#header, body);
    this.#body = null;
    this.#headerFilled = 0;
    this.#bodyFilled = 0;
    return frame;
  }
}
