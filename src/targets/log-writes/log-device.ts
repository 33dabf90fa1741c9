/**
 * The log device: entries get their place as soon as they are handed over, and are written in that order, many at once.
 *
 * As in the kernel
 * - the last sector of the device stays empty; what does not fit ends the logging, as does a failed write
 * - the super block is written behind marks and FUA writes, and counts what was logged up to there
 * Beyond it: the first thing written is a super block that counts nothing, so that no older log's count describes this one.
 */

import { DmError, errnoName } from '../../base/errors.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../base/units.ts';
import { NO_DATA, Op, recycleBio, takeBio } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import { encodeEntry, encodeSuperBlock } from '../../formats/write-log/write-log-writer.ts';
import { type LogEntry, loggedBytes } from './log-entry.ts';

/** What is written at once. */
const BATCH_BYTES = 2 ** 20;
const COUNTED_FLAGS = WriteLogFlag.fua | WriteLogFlag.mark;

export interface LogDeviceOptions {
  device: BlockDevice;
  sectorBytes: number;
  /** An entry needs no memory any more. */
  onDone: (entry: LogEntry) => void;
  /** Nothing will be logged from now on; in the kernel's words, where it has some. */
  onDisabled: (reason: string) => void;
}

interface PlacedEntry {
  entry: LogEntry;
  offsetBytes: number;
  /** How many there are with it. */
  count: number;
}

export class LogDevice {
  readonly #options: LogDeviceOptions;
  readonly #sectorBytes: number;
  #isEnabled = true;
  /** A write failed: nothing more is tried. Where the room ran out, what has a place is still written. */
  #hasFailed = false;
  #entryCount = 0;
  #nextSector: number;
  #queue: PlacedEntry[] = [];
  #isStarted = false;
  #running: Promise<void> | null = null;

  constructor(options: LogDeviceOptions) {
    this.#options = options;
    this.#sectorBytes = options.sectorBytes;
    this.#nextSector = options.sectorBytes / SECTOR_BYTES;
  }

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  /** Entries that have a place. */
  get entryCount(): number {
    return this.#entryCount;
  }

  get highestSector(): number {
    return this.#nextSector - 1;
  }

  add(entry: LogEntry): void {
    const offsetBytes = sectorsToBytes(this.#nextSector);
    if (!this.#isEnabled || !this.#takeRoom(entry)) {
      this.#options.onDone(entry);
      return;
    }
    this.#entryCount += 1;
    this.#queue.push({ entry, offsetBytes, count: this.#entryCount });
    this.#running ??= this.#run();
  }

  /** Resolves when all that was added is on the device, or will never be. */
  async settle(): Promise<void> {
    await this.#running;
  }

  /** Makes what is there durable. */
  async flush(): Promise<void> {
    await this.#attempt(() => this.#submit(Op.flush, 0, NO_DATA));
  }

  /** A failure ends the logging. */
  async #attempt(write: () => Promise<void>): Promise<void> {
    if (this.#hasFailed) return;
    try {
      await write();
    } catch (error) {
      if (!(error instanceof DmError)) throw error;
      this.#hasFailed = true;
      this.#disable(error.message);
    }
  }

  #takeRoom(entry: LogEntry): boolean {
    const { sizeSectors } = this.#options.device;
    this.#nextSector += (this.#sectorBytes + loggedBytes(entry)) / SECTOR_BYTES;
    if (sizeSectors === 0 || this.#nextSector < sizeSectors) return true;
    const place = `entry ${this.#entryCount} ends at sector ${this.#nextSector} of ${sizeSectors}`;
    this.#disable(`Ran out of space on the logdev: ${place}, the last of which stays free`);
    return false;
  }

  #disable(reason: string): void {
    if (!this.#isEnabled) return;
    this.#isEnabled = false;
    this.#options.onDisabled(reason);
  }

  async #run(): Promise<void> {
    // Whatever else becomes due at this moment is written with it.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const placed = this.#queue;
      this.#queue = [];
      await this.#attempt(() => this.#writeAll(placed));
      for (const { entry } of placed) this.#options.onDone(entry);
    }
    this.#running = null;
  }

  async #writeAll(placed: readonly PlacedEntry[]): Promise<void> {
    if (!this.#isStarted) await this.#writeSuperBlock(0);
    this.#isStarted = true;
    for (const batch of batchesOf(placed, this.#sectorBytes)) await this.#writeBatch(batch);
    const counted = placed.findLast(({ entry }) => entry.flags & COUNTED_FLAGS);
    if (counted !== undefined) await this.#writeSuperBlock(counted.count);
  }

  async #writeSuperBlock(count: number): Promise<void> {
    await this.#submit(Op.write, 0, encodeSuperBlock(count, this.#sectorBytes));
  }

  async #writeBatch({ placed, lengthBytes }: Batch): Promise<void> {
    const { offsetBytes: startBytes } = placed[0]!;
    // One entry alone may be larger, its data are written from where they are.
    const isLarge = lengthBytes > BATCH_BYTES;
    const bytes = new Uint8Array(isLarge ? this.#sectorBytes : lengthBytes);
    for (const { entry, offsetBytes } of placed) {
      const at = bytes.subarray(offsetBytes - startBytes);
      encodeEntry(entry, this.#sectorBytes, at);
      if (entry.data && !isLarge) at.set(entry.data, this.#sectorBytes);
    }
    await this.#submit(Op.write, startBytes, bytes);
    if (isLarge) await this.#writeData(startBytes + this.#sectorBytes, placed[0]!.entry);
  }

  async #writeData(offsetBytes: number, entry: LogEntry): Promise<void> {
    const lengthBytes = loggedBytes(entry);
    const zeros = new Uint8Array(BATCH_BYTES);
    for (let done = 0; done < lengthBytes; done += BATCH_BYTES) {
      const end = Math.min(lengthBytes, done + BATCH_BYTES);
      const bytes = entry.data?.subarray(done, end) ?? zeros.subarray(0, end - done);
      await this.#submit(Op.write, offsetBytes + done, bytes);
    }
  }

  async #submit(op: Op, offsetBytes: number, data: Uint8Array): Promise<void> {
    const { device } = this.#options;
    this.#checkDevice();
    await new Promise<void>((resolve, reject) => {
      const bio = takeBio();
      bio.op = op;
      bio.device = device;
      bio.sector = offsetBytes / SECTOR_BYTES;
      bio.sectorCount = data.byteLength / SECTOR_BYTES;
      bio.data = data;
      bio.dataOffset = 0;
      bio.onEnd = ({ error }) => {
        recycleBio(bio);
        if (error === 0) resolve();
        else reject(logFailed(errnoName(error)));
      };
      device.submit(bio);
    });
  }

  /** Whether it can be written, and whether log sectors are blocks of its own. */
  #checkDevice(): void {
    const { limits, readOnly } = this.#options.device;
    if (readOnly) throw logFailed('it is read-only');
    const blockBytes = limits.logicalBlockBytes;
    if (blockBytes <= this.#sectorBytes) return;
    throw logFailed(`its blocks have ${blockBytes} bytes, the log's sectors ${this.#sectorBytes}`);
  }
}

function logFailed(reason: string): DmError {
  return new DmError('EIO', `Error writing log block: ${reason}`);
}

interface Batch {
  placed: PlacedEntry[];
  lengthBytes: number;
}

/** One entry at least in each. */
function* batchesOf(placed: readonly PlacedEntry[], sectorBytes: number): Generator<Batch> {
  let batch: Batch = { placed: [], lengthBytes: 0 };
  for (const each of placed) {
    const lengthBytes = sectorBytes + loggedBytes(each.entry);
    if (batch.placed.length > 0 && batch.lengthBytes + lengthBytes > BATCH_BYTES) {
      yield batch;
      batch = { placed: [], lengthBytes: 0 };
    }
    batch.placed.push(each);
    batch.lengthBytes += lengthBytes;
  }
  if (batch.placed.length > 0) yield batch;
}
