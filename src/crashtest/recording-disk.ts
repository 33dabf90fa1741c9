/**
 * The workload's disk: takes everything at once and logs it. What a read gives comes from the log itself, so that data are kept once.
 *
 * A request ends before `submit` returns, and so nothing ever ends while a flush is under way; the log's order is the requests' own. When the workload
 * has ended, `finish` keeps out what programs that it left behind would still write.
 */

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { DmError, Errno } from '../base/errors.ts';
import { type Bio, BioFlag, Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import { refusalOf } from '../devices/leaf-bio.ts';
import type { BaseImage } from './base-image.ts';
import type { CrashLog, LogEntry, LogKind } from './crash-log.ts';
import { EntryList } from './entry-list.ts';
import { BASE, CHUNK_SECTORS, type Chunk, placeEntry, readPlaces } from './places.ts';
import { SpooledLogData, type SpoolOptions } from './spooled-log-data.ts';

export interface RecordingDiskOptions {
  /** What is on it at the start. */
  base: BaseImage;
  clock: Clock;
  spool?: SpoolOptions;
  /** Called before each request: the workload had done what it tells now before it asked for this. */
  beforeRequest?: () => void;
}

export class RecordingDisk implements BlockDevice, Disposable {
  readonly number = { major: 0, minor: 0 };
  readonly operand = 'disk';
  readonly sizeSectors: number;
  readonly limits = DEFAULT_LIMITS;
  readonly readOnly = false;
  readonly #base: BaseImage;
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #beforeRequest: () => void;
  readonly #entries = new EntryList();
  readonly #data: SpooledLogData;
  #isFinished = false;
  readonly #chunks = new Map<number, Chunk>();

  constructor({ base, clock, spool, beforeRequest = () => {} }: RecordingDiskOptions) {
    this.#data = new SpooledLogData(spool);
    this.#base = base;
    this.sizeSectors = base.sizeSectors;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#beforeRequest = beforeRequest;
  }

  /** Of everything so far; it grows with what comes. */
  get log(): CrashLog {
    return { sizeSectors: this.sizeSectors, entries: this.#entries, data: this.#data };
  }

  /** Why the log cannot be relied on, which the workload saw as an I/O error; null: it can. */
  get problem(): DmError | null {
    return this.#data.problem;
  }

  mark(text: string): void {
    if (!this.#isFinished) this.#add('mark', { text });
  }

  /** As if the workload had asked for it. */
  flush(): void {
    this.#add('flush', { flush: true });
  }

  /** From now on there is nothing to read or write, and the log stays as it is. */
  finish(): void {
    this.#isFinished = true;
    this.#chunks.clear();
  }

  [Symbol.dispose](): void {
    this.finish();
    this.#data[Symbol.dispose]();
  }

  submit(bio: Bio): void {
    if (this.#isFinished) {
      // A server flushes when it is closed.
      bio.end(bio.op === Op.flush ? 0 : Errno.EIO);
      return;
    }
    this.#beforeRequest();
    bio.end(this.#perform(bio));
  }

  #perform(bio: Bio): number {
    const refusal = refusalOf(this, bio);
    if (refusal !== 0) return refusal;
    try {
      this.#run(bio);
      return 0;
    } catch (error) {
      if (error instanceof DmError) return error.errno;
      throw error;
    }
  }

  #run(bio: Bio): void {
    switch (bio.op) {
      case Op.read:
        if ((bio.flags & BioFlag.prefetch) === 0) this.#read(bio);
        return;
      case Op.write: {
        const data = bio.data.subarray(bio.dataOffset, bio.dataOffset + bio.lengthBytes);
        this.#change('write', bio, this.#data.append(data));
        return;
      }
      case Op.discard:
        this.#change('discard', bio, 0);
        return;
      case Op.writeZeroes:
        this.#change('zeroes', bio, 0);
        return;
      case Op.flush:
        this.flush();
        return;
      case Op.blockStatus: // nothing described: all of it is data
        return;
      default:
        assert(false, `the recording disk knows operation ${String(bio.op)}`);
    }
  }

  #read({ sector, sectorCount, data, dataOffset }: Bio): void {
    const source = { base: this.#base, data: this.#data };
    const find = (number: number) => this.#chunks.get(number) ?? null;
    readPlaces(source, find, { sector, sectorCount }, data, dataOffset);
  }

  #change(kind: LogKind, { sector, sectorCount, flags }: Bio, dataSector: number): void {
    if (sectorCount === 0) return;
    const fua = (flags & BioFlag.fua) !== 0;
    const entry = this.#add(kind, { sector, sectorCount, dataSector, fua });
    placeEntry(entry, { start: 0, end: sectorCount }, (number) => this.#writable(number));
  }

  #writable(number: number): Chunk {
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = new Int32Array(CHUNK_SECTORS).fill(BASE);
      this.#chunks.set(number, chunk);
    }
    return chunk;
  }

  #add(kind: LogKind, facts: Partial<LogEntry>): LogEntry {
    const timeMs = this.#clock.nowMs() - this.#startMs;
    const entry: LogEntry = { ...EMPTY, ...facts, kind, timeMs };
    this.#entries.add(entry);
    return entry;
  }
}

const EMPTY: Omit<LogEntry, 'kind' | 'timeMs'> = {
  flush: false,
  fua: false,
  sector: 0,
  sectorCount: 0,
  dataSector: 0,
  text: '',
};
