/**
 * The store of `P` and `PO`: the kernel's exception store on the COW device (src/formats/snapshot).
 *
 * Invariants, for a power failure at any moment
 * - A new store has no header before all else of it is durable: what is found afterwards is blank or whole.
 * - The store on the disk is the exceptions up to the first that is zero. Exceptions are added behind the last and taken away from there, each time with a
 *   flush before it (the data copied, or merged) and durable when it is told, so that what is found is a beginning of what was committed, with all that
 *   was acknowledged: sectors of one write may arrive alone, and what arrives behind a zero means nothing.
 * - What means nothing never comes to mean something: remains behind the zero are cleared, and that is flushed, before an exception is added; the next
 *   area is zeroed before the exception that fills one makes it reachable.
 *
 * As in the kernel, exceptions wait until nothing that was prepared is still being copied, or the area is full: one write serves them all. Unlike the
 * kernel, which writes the area whole each time, only its blocks that changed are written.
 */

import { assert } from '../../base/assert.ts';
import { DmError, Errno, type ErrnoName, errnoName, errnoOf } from '../../base/errors.ts';
import type { BlockDevice } from '../../core/device.ts';
import { beginPlug, endPlug } from '../../core/plug.ts';
import type { TargetMemory } from '../../core/target-memory.ts';
import { ExceptionArea } from '../../formats/snapshot/area.ts';
import { EXCEPTION_BYTES, StoreGeometry } from '../../formats/snapshot/geometry.ts';
import { encodeHeader } from '../../formats/snapshot/header.ts';
import { readSnapshotHeader, readStore } from '../../formats/snapshot/read-store.ts';
import type {
  ExceptionSink,
  ExceptionStore,
  MergeRun,
  PendingException,
  StoreMerging,
  StoreOptions,
  StoreUsage,
} from './store.ts';
import { StoreDisk } from './store-disk.ts';
import { StoreQueue } from './store-queue.ts';

/** The kernel's, when the table leaves it open: 16 KiB. */
const DEFAULT_CHUNK_SECTORS = 32;
/** What is written of an area at once at least, so that a disk with large blocks inside need not read before it writes. */
const WRITE_BYTES = 4096;

export class PersistentStore implements ExceptionStore, StoreMerging {
  readonly isPersistent = true;
  readonly #memory: TargetMemory;
  readonly #originBlockBytes: number;
  readonly #queue = new StoreQueue();
  #cow: BlockDevice;
  #disk: StoreDisk;
  #geometry: StoreGeometry;
  #isValid = true;
  /** The area that exceptions are added to, with all that are in it and not written yet. */
  #area: ExceptionArea;
  #areaNumber = 0;
  #inArea = 0;
  /** Of `#inArea`, those that are on the disk. */
  #writtenInArea = 0;
  #hasRemains = false;
  #nextFree: number;
  /** Before a merge lowered `#nextFree`: chunks below may still have data. */
  #highestFree = 0;
  /** In the area, not told yet. */
  #toTell: PendingException[] = [];
  #isWriting = false;

  constructor({ cow, chunkSectors, originBlockBytes, memory }: StoreOptions) {
    this.#memory = memory;
    this.#originBlockBytes = originBlockBytes;
    this.#cow = cow;
    this.#disk = new StoreDisk(cow, memory);
    const blockSectors = this.#disk.sectorBytes / 512;
    this.#geometry = new StoreGeometry(
      chunkSectors || Math.max(DEFAULT_CHUNK_SECTORS, blockSectors),
    );
    this.#area = this.#emptyArea(0, 0);
    this.#nextFree = this.#geometry.firstDataChunk;
  }

  get chunkSectors(): number {
    return this.#geometry.chunkSectors;
  }

  get merging(): StoreMerging {
    return this;
  }

  async open(table: ExceptionSink): Promise<'valid' | 'invalid'> {
    try {
      const blockBytes = [this.#originBlockBytes];
      const header = await readSnapshotHeader(this.#disk, { blockBytes });
      if (header === null) {
        await this.#create();
        return 'valid';
      }
      this.#geometry = new StoreGeometry(header.chunkSectors);
      this.#isValid = header.isValid;
      if (!header.isValid) return 'invalid';
      await this.#read(table);
      return 'valid';
    } catch (error) {
      throw inWords(error, 'Failed to read snapshot metadata');
    }
  }

  async #create(): Promise<void> {
    const { chunkBytes } = this.#geometry;
    const header = this.#headerBlock();
    this.#area = this.#emptyArea(chunkBytes, 0);
    // The rest of the header's chunk too, as the kernel leaves it.
    await this.#disk.writeZeroes(header.byteLength, 2 * chunkBytes - header.byteLength);
    await this.#disk.flush();
    await this.#disk.write(0, header, { isDurable: true });
  }

  async #read(table: ExceptionSink): Promise<void> {
    const content = await readStore(this.#disk, this.chunkSectors, (oldChunk, newChunk) =>
      table.insert(oldChunk, newChunk),
    );
    this.#area = content.area;
    this.#areaNumber = content.areaNumber;
    this.#inArea = content.exceptionsInArea;
    this.#writtenInArea = content.exceptionsInArea;
    this.#nextFree = content.nextFree;
    this.#hasRemains = content.hasRemains;
  }

  prepareException(exception: PendingException): boolean {
    this.#nextFree = Math.max(this.#nextFree, this.#highestFree);
    if (this.#cow.sizeSectors < (this.#nextFree + 1) * this.chunkSectors) return false;
    exception.newChunk = this.#nextFree;
    this.#nextFree = this.#geometry.dataChunkFrom(this.#nextFree + 1);
    this.#queue.add(exception);
    return true;
  }

  commitException(exception: PendingException, isCopied: boolean): void {
    this.#queue.finish(exception, isCopied);
    this.#goOn();
  }

  /** Takes into the area what may be, and writes it when it is time. */
  #goOn(): void {
    if (this.#isWriting) return;
    const { exceptionsPerArea } = this.#geometry;
    while (this.#inArea < exceptionsPerArea) {
      const exception = this.#queue.take();
      if (exception === null) break;
      if (exception.copy === 'failed') this.#isValid = false;
      this.#area.set(this.#inArea, exception);
      this.#inArea += 1;
      this.#toTell.push(exception);
    }
    const isTime = this.#queue.length === 0 || this.#inArea === exceptionsPerArea;
    if (isTime && this.#toTell.length > 0) void this.#writeAndTell();
  }

  /** Never rejects. */
  async #writeAndTell(): Promise<void> {
    this.#isWriting = true;
    const told = this.#toTell;
    this.#toTell = [];
    let failure: number = Errno.EIO;
    if (this.#isValid) {
      await this.#writeAdded().catch((error: unknown) => {
        failure = errnoOf(error);
        this.#isValid = false;
      });
    }
    if (this.#inArea === this.#geometry.exceptionsPerArea) this.#beginArea(this.#areaNumber + 1);
    // It may have been dropped while it was written.
    const errno = this.#isValid ? 0 : failure;
    // What they let go is often a row of neighbours.
    beginPlug();
    for (const exception of told) exception.committed(errno);
    endPlug();
    this.#isWriting = false;
    this.#goOn();
  }

  async #writeAdded(): Promise<void> {
    const isFull = this.#inArea === this.#geometry.exceptionsPerArea;
    if (isFull) await this.#zeroArea(this.#areaNumber + 1);
    if (this.#hasRemains) await this.#clearRemains();
    await this.#disk.flush();
    await this.#writeExceptions(this.#writtenInArea, this.#inArea);
    this.#writtenInArea = this.#inArea;
  }

  /** Beyond the end of the device it fails, as in the kernel: a store whose last area is full is lost. */
  async #zeroArea(number: number): Promise<void> {
    const { chunkBytes } = this.#geometry;
    await this.#disk.writeZeroes(this.#geometry.areaChunk(number) * chunkBytes, chunkBytes);
  }

  /** In the sectors behind the one that has the end: that one arrives as a whole. The flush before the exceptions is for this too. */
  async #clearRemains(): Promise<void> {
    const { chunkBytes } = this.#geometry;
    const { sectorBytes } = this.#disk;
    const endBytes = this.#writtenInArea * EXCEPTION_BYTES;
    const fromBytes = (Math.floor(endBytes / sectorBytes) + 1) * sectorBytes;
    const areaBytes = this.#geometry.areaChunk(this.#areaNumber) * chunkBytes;
    if (fromBytes < chunkBytes) {
      await this.#disk.writeZeroes(areaBytes + fromBytes, chunkBytes - fromBytes);
    }
    this.#hasRemains = false;
  }

  /** The blocks of the area that have exceptions `from` to `to`, durable when it resolves. */
  #writeExceptions(from: number, to: number): Promise<void> {
    const { chunkBytes } = this.#geometry;
    const blockBytes = this.#blockBytes;
    const fromBytes = Math.floor((from * EXCEPTION_BYTES) / blockBytes) * blockBytes;
    const toBytes = Math.ceil((to * EXCEPTION_BYTES) / blockBytes) * blockBytes;
    const offsetBytes = this.#geometry.areaChunk(this.#areaNumber) * chunkBytes + fromBytes;
    const changed = this.#area.bytes.subarray(fromBytes, toBytes);
    return this.#disk.write(offsetBytes, changed, { isDurable: true });
  }

  async dropSnapshot(): Promise<boolean> {
    this.#isValid = false;
    try {
      await this.#disk.write(0, this.#headerBlock(), { isDurable: true });
      return true;
    } catch {
      // The snapshot's owner has been told already why it is dropped, and cannot do more about it.
      return false;
    }
  }

  usage(): StoreUsage {
    return {
      allocatedSectors: this.#nextFree * this.chunkSectors,
      totalSectors: this.#cow.sizeSectors,
      metadataSectors: (this.#areaNumber + 2) * this.chunkSectors,
    };
  }

  handOver(cow: BlockDevice): void {
    this.#cow = cow;
    this.#disk = new StoreDisk(cow, this.#memory);
  }

  async prepareMerge(): Promise<MergeRun | null> {
    assert(this.#queue.length === 0 && !this.#isWriting, 'nothing is prepared during a merge');
    try {
      if (this.#inArea === 0 && this.#areaNumber > 0) await this.#readAreaBefore();
      return this.#inArea === 0 ? null : this.#lastRun();
    } catch (error) {
      throw inWords(error, 'Read error in exception store');
    }
  }

  /** Within the area. */
  #lastRun(): MergeRun {
    // The device may have grown since.
    this.#area = this.#areaOf(this.#area.bytes, this.#areaNumber);
    const last = this.#inArea - 1;
    const oldChunk = this.#area.oldChunk(last);
    const newChunk = this.#area.newChunk(last);
    let more = 0;
    while (
      more < last &&
      this.#area.oldChunk(last - more - 1) === oldChunk - more - 1 &&
      this.#area.newChunk(last - more - 1) === newChunk - more - 1
    ) {
      more += 1;
    }
    return { oldChunk: oldChunk - more, newChunk: newChunk - more, chunkCount: more + 1 };
  }

  async #readAreaBefore(): Promise<void> {
    const { chunkBytes, exceptionsPerArea } = this.#geometry;
    const number = this.#areaNumber - 1;
    const bytes = await this.#disk.read(this.#geometry.areaChunk(number) * chunkBytes, chunkBytes);
    const area = this.#areaOf(bytes, number);
    if (area.count() !== exceptionsPerArea) {
      const where = `area ${number} of the exception store on "${this.#disk.name}"`;
      throw new DmError('EIO', `Cannot merge ${where}: it was full when the store was opened`);
    }
    this.#area = area;
    this.#areaNumber = number;
    this.#inArea = exceptionsPerArea;
    this.#writtenInArea = exceptionsPerArea;
    this.#hasRemains = false;
  }

  async commitMerge(chunkCount: number): Promise<void> {
    const left = this.#inArea - chunkCount;
    assert(chunkCount > 0 && left >= 0, 'what is merged is in the area');
    const { bytes } = this.#area;
    const merged = bytes.slice(left * EXCEPTION_BYTES, this.#inArea * EXCEPTION_BYTES);
    bytes.fill(0, left * EXCEPTION_BYTES);
    try {
      await this.#disk.flush();
      await this.#writeExceptions(left, this.#inArea);
    } catch (error) {
      bytes.set(merged, left * EXCEPTION_BYTES);
      // A part may have landed.
      this.#writtenInArea = left;
      throw error;
    }
    this.#inArea = left;
    this.#writtenInArea = left;
    // The kernel's number for the status, right if all chunks were committed in order.
    this.#highestFree = Math.max(this.#highestFree, this.#nextFree);
    this.#nextFree = this.#geometry.areaChunk(this.#areaNumber) + left + 1;
  }

  /** What a header or a piece of an area is written in. */
  get #blockBytes(): number {
    return Math.min(this.#geometry.chunkBytes, Math.max(WRITE_BYTES, this.#disk.sectorBytes));
  }

  #headerBlock(): Uint8Array {
    const block = new Uint8Array(this.#blockBytes);
    block.set(encodeHeader({ isValid: this.#isValid, chunkSectors: this.chunkSectors }));
    return block;
  }

  #beginArea(number: number): void {
    this.#area = this.#emptyArea(this.#geometry.chunkBytes, number);
    this.#areaNumber = number;
    this.#inArea = 0;
    this.#writtenInArea = 0;
    this.#hasRemains = false;
  }

  #emptyArea(lengthBytes: number, number: number): ExceptionArea {
    return this.#areaOf(new Uint8Array(lengthBytes), number);
  }

  #areaOf(bytes: Uint8Array, number: number): ExceptionArea {
    const chunkCount = this.#geometry.chunkCountOf(this.#cow.sizeSectors);
    return new ExceptionArea(bytes, this.#geometry, { number, chunkCount });
  }
}

function inWords(error: unknown, words: string): DmError {
  const code = errnoName(errnoOf(error));
  const reason = error instanceof Error ? error.message : String(error);
  const known = code in Errno ? (code as ErrnoName) : 'EIO';
  return new DmError(known, `${words}: ${reason}`, { cause: error });
}
