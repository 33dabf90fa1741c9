/**
 * A block device, open for I/O: byte offsets and promises over bios.
 *
 * Invariants
 * - The device counts as open from construction until `close` has seen the last request end.
 * - A request that was aborted may still happen; its memory is the volume's own, so the caller may go on with theirs.
 */

import { assert } from '../base/assert.ts';
import { DmError, type ErrnoName, errnoName } from '../base/errors.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { BioFlag, NO_DATA, OP_NAMES, Op, recycleBio, takeBio } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import { ExtentFlag, ExtentList } from '../core/extents.ts';
import type { Limits } from '../core/limits.ts';

export interface RequestOptions {
  /** Rejects the promise when it aborts. What was under way may still happen. */
  signal?: AbortSignal;
}

/** Bytes of the volume; both must be multiples of its logical block size. */
export interface ByteRange {
  offsetBytes: number;
  lengthBytes: number;
}

export interface ReadRequest extends ByteRange, RequestOptions {}

export interface WriteRequest extends RequestOptions {
  offsetBytes: number;
  data: Uint8Array;
  /** Resolve only when the data is durable ("force unit access"). */
  fua?: boolean;
}

export interface DiscardRequest extends ByteRange, RequestOptions {}

export interface WriteZeroesRequest extends ByteRange, RequestOptions {
  fua?: boolean;
  /** Keep the space allocated. */
  noUnmap?: boolean;
  /** Fail with ENOTSUP where it would be no faster than writing. */
  fastZero?: boolean;
}

export interface BlockStatusRequest extends ByteRange, RequestOptions {}

/** A run of equal allocation, as `Volume.blockStatus` reports it. */
export interface VolumeExtent extends ByteRange {
  /** Nothing is allocated here. */
  hole: boolean;
  /** Reads as zeroes. */
  zero: boolean;
}

/** One request is handed to the device in pieces of at most this; more would only pin memory below. */
const MAX_PIECE_SECTORS = (32 * 1024 * 1024) / SECTOR_BYTES;

interface Piece {
  op: Op;
  flags: number;
  sector: number;
  sectorCount: number;
  data: Uint8Array;
  dataOffset: number;
  extents: ExtentList | null;
}

/** What a volume stands on. */
export interface VolumeSource {
  /** For messages; asked each time, since devices can be renamed. */
  name(): string;
  device: BlockDevice;
  /** Called once, when no request is under way any more. */
  release(): void | Promise<void>;
}

/**
 * Reads and writes one device. Obtained from `DeviceMapper.open` or `connectNbd`, ended by `close` or `await using`.
 *
 * @example
 * ```ts
 * import { DeviceMapper } from 'devmapper';
 *
 * await using mapper = new DeviceMapper();
 * await mapper.create({ name: 'disk', table: '0 2048 linear mem:1M 0' });
 * await using disk = mapper.open('disk');
 * await disk.write({ offsetBytes: 4096, data: new Uint8Array(512).fill(7) });
 * await disk.flush();
 * const data = await disk.read({ offsetBytes: 4096, lengthBytes: 512 });
 * console.log(data[0]); // 7
 * ```
 */
export class Volume implements AsyncDisposable {
  readonly #source: VolumeSource;
  readonly #device: BlockDevice;
  #closed: Promise<void> | null = null;
  #pendingCount = 0;
  #idle: (() => void) | null = null;

  constructor(source: VolumeSource) {
    this.#source = source;
    this.#device = source.device;
  }

  get name(): string {
    return this.#source.name();
  }

  /** Of the live table; changes when a table of another size is resumed. */
  get sizeBytes(): number {
    return this.#device.sizeSectors * SECTOR_BYTES;
  }

  get readOnly(): boolean {
    return this.#device.readOnly;
  }

  get limits(): Limits {
    return this.#device.limits;
  }

  /** Offsets and lengths must be multiples of this. */
  get blockBytes(): number {
    return this.#device.limits.logicalBlockBytes;
  }

  /** Resolves with `lengthBytes` bytes. */
  async read(request: ReadRequest): Promise<Uint8Array> {
    this.#checkRange(Op.read, request);
    const data = new Uint8Array(request.lengthBytes);
    await this.#run(Op.read, request, { data });
    return data;
  }

  /** Resolves when the device has the data; durable only after a flush, or with `fua`. */
  async write(request: WriteRequest): Promise<void> {
    const { data, signal, offsetBytes } = request;
    const range = { offsetBytes, lengthBytes: data.byteLength };
    // After an abort the device may still be reading, and the caller must be free to use the buffer again.
    const stable = signal ? data.slice() : data;
    await this.#run(
      Op.write,
      { ...range, ...(signal && { signal }) },
      { data: stable, flags: request.fua ? BioFlag.fua : 0 },
    );
  }

  /** Everything written before, by whomever, is durable when this resolves. */
  async flush(options: RequestOptions = {}): Promise<void> {
    this.#checkOpen();
    options.signal?.throwIfAborted();
    await abortable(this.#submit(emptyPiece(Op.flush)), options.signal);
  }

  /** The range's content may become anything until it is written again. */
  async discard(request: DiscardRequest): Promise<void> {
    await this.#run(Op.discard, request, {});
  }

  /** The range reads as zeroes afterwards; deallocates where the devices below can, unless `noUnmap`. */
  async writeZeroes(request: WriteZeroesRequest): Promise<void> {
    const flags =
      (request.fua ? BioFlag.fua : 0) |
      (request.noUnmap ? BioFlag.noUnmap : 0) |
      (request.fastZero ? BioFlag.fastZero : 0);
    await this.#run(Op.writeZeroes, request, { flags });
  }

  /** Which parts are allocated and which read as zeroes: gapless, in order, neighbours of one kind joined. */
  async blockStatus(request: BlockStatusRequest): Promise<VolumeExtent[]> {
    const extents = new ExtentList();
    await this.#run(Op.blockStatus, request, { extents });
    return extents.normalized(request.lengthBytes / SECTOR_BYTES).map((extent) => ({
      offsetBytes: request.offsetBytes + extent.offsetSectors * SECTOR_BYTES,
      lengthBytes: extent.lengthSectors * SECTOR_BYTES,
      hole: (extent.flags & ExtentFlag.hole) !== 0,
      zero: (extent.flags & ExtentFlag.zero) !== 0,
    }));
  }

  /** Waits for requests under way, then gives the device back. It does not flush. */
  close(): Promise<void> {
    this.#closed ??= this.#drain().then(() => this.#source.release());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #drain(): Promise<void> {
    if (this.#pendingCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Hands the range out piece by piece, one at a time, so that an abort leaves little behind. */
  async #run(
    op: Op,
    request: ByteRange & RequestOptions,
    extra: { data?: Uint8Array; flags?: number; extents?: ExtentList },
  ): Promise<void> {
    this.#checkOpen();
    this.#checkRange(op, request);
    // Counted as a whole too, so that closing waits for the pieces that are still to come.
    this.#pendingCount += 1;
    try {
      await this.#runPieces(op, request, extra);
    } finally {
      this.#ended();
    }
  }

  async #runPieces(
    op: Op,
    request: ByteRange & RequestOptions,
    extra: { data?: Uint8Array; flags?: number; extents?: ExtentList },
  ): Promise<void> {
    const { signal } = request;
    const start = request.offsetBytes / SECTOR_BYTES;
    const count = request.lengthBytes / SECTOR_BYTES;
    for (let done = 0; done < count; ) {
      signal?.throwIfAborted();
      const length = Math.min(count - done, this.#pieceSectors());
      const piece: Piece = {
        ...emptyPiece(op),
        flags: extra.flags ?? 0,
        sector: start + done,
        sectorCount: length,
        data: extra.data ?? NO_DATA,
        dataOffset: extra.data ? done * SECTOR_BYTES : 0,
        extents: extra.extents ? new ExtentList() : null,
      };
      await abortable(this.#submit(piece), signal);
      if (piece.extents) extra.extents?.addAll(piece.extents, done);
      done += length;
    }
  }

  #pieceSectors(): number {
    const blockSectors = this.blockBytes / SECTOR_BYTES;
    const most = Math.min(this.limits.maxIoSectors, MAX_PIECE_SECTORS);
    return Math.max(blockSectors, Math.floor(most / blockSectors) * blockSectors);
  }

  #submit(piece: Piece): Promise<void> {
    return new Promise((resolve, reject) => {
      const bio = takeBio();
      bio.op = piece.op;
      bio.flags = piece.flags;
      bio.sector = piece.sector;
      bio.sectorCount = piece.sectorCount;
      bio.data = piece.data;
      bio.dataOffset = piece.dataOffset;
      bio.extents = piece.extents;
      bio.device = this.#device;
      bio.onEnd = (ended) => {
        const { error } = ended;
        recycleBio(ended);
        this.#ended();
        if (error === 0) resolve();
        else reject(this.#failure(piece, error));
      };
      this.#pendingCount += 1;
      this.#device.submit(bio);
    });
  }

  #ended(): void {
    this.#pendingCount -= 1;
    assert(this.#pendingCount >= 0, 'a volume ends no more requests than it started');
    if (this.#pendingCount === 0) this.#idle?.();
  }

  #failure(piece: Piece, errno: number): DmError {
    const name = errnoName(errno);
    const code = name.startsWith('E') ? (name as ErrnoName) : 'EIO';
    const what =
      piece.op === Op.flush
        ? `Cannot flush ${this.name}`
        : `Cannot ${OP_NAMES[piece.op]} ${piece.sectorCount * SECTOR_BYTES} bytes at ${piece.sector * SECTOR_BYTES} of ${this.name}`;
    return new DmError(code, `${what}: ${name}`);
  }

  #checkOpen(): void {
    if (this.#closed) throw new DmError('EBADF', `Cannot use ${this.name}: it was closed`);
  }

  #checkRange(op: Op, { offsetBytes, lengthBytes }: ByteRange): void {
    const block = this.blockBytes;
    for (const [name, value] of [
      ['offset', offsetBytes],
      ['length', lengthBytes],
    ] as const) {
      if (Number.isSafeInteger(value) && value >= 0 && value % block === 0) continue;
      throw new RangeError(
        `Cannot ${OP_NAMES[op]} ${this.name}: ${name} ${value} is not a multiple of its block size, ${block} bytes`,
      );
    }
    if (offsetBytes + lengthBytes <= this.sizeBytes) return;
    throw new RangeError(
      `Cannot ${OP_NAMES[op]} ${this.name}: ${lengthBytes} bytes at ${offsetBytes} reach beyond its end at ${this.sizeBytes}`,
    );
  }
}

function emptyPiece(op: Op): Piece {
  return { op, flags: 0, sector: 0, sectorCount: 0, data: NO_DATA, dataOffset: 0, extents: null };
}

/** Settles as `work` does, or rejects as soon as the signal aborts; `work` goes on by itself then. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
