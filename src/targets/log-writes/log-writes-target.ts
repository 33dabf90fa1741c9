/**
 * One row of log-writes. Reads go straight to the device. A write, discard or flush goes there too, and into the log when it ended:
 * `completion-order.ts` says when, `log-device.ts` where.
 *
 * Invariants
 * - A sector keeps its number: as in the kernel, the row's start is not taken off.
 * - What waits to be logged is counted from when it is sent below; above `keptBytes` what else is written waits in its turn, and what
 *   waits for a flush is logged without it.
 * - The log device is touched only by a table that was live.
 */

import { DmError, Errno } from '../../base/errors.ts';
import { type Bio, BioFlag, Op } from '../../core/bio.ts';
import type { BlockDevice, DeviceRange } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import type { MapResult, PassThrough, Target, TargetContext } from '../../core/target.ts';
import { CompletionOrder } from './completion-order.ts';
import { LogDevice } from './log-device.ts';
import { costOf, entryOf, markEntry } from './log-entry.ts';

const END_MARK = 'dm-log-writes-end';

export interface LogWritesParts {
  device: BlockDevice;
  logDevice: BlockDevice;
  /** How much may wait to be logged. */
  keptBytes: number;
}

export class LogWritesTarget implements Target {
  /** Also where the device below has none: they are logged. */
  readonly discardsSupported = true;
  readonly #parts: LogWritesParts;
  readonly #context: TargetContext;
  readonly #sectorBytes: number;
  readonly #log: LogDevice;
  readonly #order: CompletionOrder;
  #held: Bio[] = [];
  #usedBytes = 0;
  #wasLive = false;

  constructor(parts: LogWritesParts, context: TargetContext) {
    this.#parts = parts;
    this.#context = context;
    this.#sectorBytes = parts.device.limits.logicalBlockBytes;
    this.#log = new LogDevice({
      device: parts.logDevice,
      sectorBytes: this.#sectorBytes,
      onDone: (entry) => this.#free(entry.costBytes),
      onDisabled: (reason) => this.#disabled(reason),
    });
    this.#order = new CompletionOrder({
      log: (entry) => this.#log.add(entry),
      drop: (entry) => this.#free(entry.costBytes),
    });
  }

  map(bio: Bio): MapResult {
    bio.device = this.#parts.device;
    if (!bio.isWrite) return 'remapped';
    if (bio.op === Op.writeZeroes && bio.flags & BioFlag.fastZero) {
      // The log gets every zero: that is not fast.
      bio.endedBy = null;
      bio.end(Errno.ENOTSUP);
      return 'submitted';
    }
    if (this.#isFull || this.#held.length > 0) {
      this.#held.push(bio);
      this.#makeRoom();
      return 'submitted';
    }
    this.#begin(bio);
    if (!this.#isOnlyLogged(bio)) return 'remapped';
    bio.end(0);
    return 'submitted';
  }

  /** Before it is sent below. */
  #begin(bio: Bio): void {
    if (!this.#log.isEnabled) {
      bio.endedBy = null;
      return;
    }
    this.#usedBytes += costOf(bio);
    if (bio.op === Op.flush) this.#order.flushSent(bio);
  }

  /** The device below knows no discards. */
  #isOnlyLogged(bio: Bio): boolean {
    return bio.op === Op.discard && this.#parts.device.limits.discardGranularityBytes === 0;
  }

  end(bio: Bio): void {
    if (bio.op === Op.flush) this.#order.flushEnded(bio, entryOf(bio));
    else if (bio.isWrite) this.#writeEnded(bio);
    else return;
    if (this.#held.length > 0) this.#makeRoom();
  }

  /** Also one that failed, as the kernel does: what is there then is anybody's guess. */
  #writeEnded(bio: Bio): void {
    if (this.#log.isEnabled) this.#order.writeEnded(entryOf(bio));
    else this.#free(costOf(bio));
  }

  get #isFull(): boolean {
    return this.#usedBytes >= this.#parts.keptBytes;
  }

  /** Waiting for a flush that never comes would need any amount of memory. */
  #makeRoom(): void {
    if (this.#isFull && this.#order.mayGoEarly) this.#order.release();
  }

  #free(costBytes: number): void {
    this.#usedBytes -= costBytes;
    this.#startHeld();
  }

  #startHeld(): void {
    while (this.#held.length > 0 && !this.#isFull) {
      const bio = this.#held.shift()!;
      this.#begin(bio);
      if (this.#isOnlyLogged(bio)) bio.end(0);
      else bio.device!.submit(bio);
    }
  }

  #disabled(reason: string): void {
    const { operand } = this.#parts.logDevice;
    this.#context.report(
      `log-writes: ${reason}; ${operand} takes no more, the disk goes on without a log`,
    );
    this.#order.release();
    this.#context.event();
  }

  passThrough(): PassThrough {
    return { device: this.#parts.device, sectors: 0, ops: 'reads' };
  }

  table(): string {
    return `${this.#parts.device.operand} ${this.#parts.logDevice.operand}`;
  }

  status(): string {
    const { entryCount, highestSector, isEnabled } = this.#log;
    return `${entryCount} ${highestSector}${isEnabled ? '' : ' logging_disabled'}`;
  }

  devices(): DeviceRange[] {
    const { start, length } = this.#context;
    return [{ device: this.#parts.device, startSectors: start, lengthSectors: length }];
  }

  limits(stacked: Limits): Limits {
    return { ...stacked, ioMinBytes: stacked.physicalBlockBytes };
  }

  message(argv: readonly string[]): undefined {
    if (argv.length !== 2) {
      const got = `expect 2 arguments, got ${argv.length}`;
      throw new DmError('EINVAL', `Invalid log-writes message arguments, ${got}: mark <text>`);
    }
    const [name, text] = argv as [string, string];
    if (name.toLowerCase() !== 'mark') {
      throw new DmError(
        'EINVAL',
        `Unrecognised log writes target message received: ${name}: expected mark <text>`,
      );
    }
    this.#log.add(markEntry(text));
  }

  resume(): void {
    this.#wasLive = true;
  }

  /** What waits for a flush is logged all the same, and the mark at the end brings the super block up to date. */
  async close(): Promise<void> {
    if (!this.#wasLive || this.#parts.logDevice.readOnly) return;
    this.#order.release();
    this.#log.add(markEntry(END_MARK));
    await this.#log.settle();
    await this.#log.flush();
  }
}
