/** A worker's copy of the stack behind the gate: what runs on it runs only inside. */

import { assert } from '../../base/assert.ts';
import { systemClock } from '../../base/clock.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { Bio, NO_DATA, Op } from '../../core/bio.ts';
import type { System } from '../../system/index.ts';
import type { PinnedBuffer } from '../../system/pinned-buffer.ts';
import { CountJournal } from './count-journal.ts';
import type { Deferral } from './file-leaf.ts';
import { FileRanges } from './file-ranges.ts';
import type { Gate } from './gate.ts';
import type { Plan } from './plan.ts';
import { createReplica, type Replica } from './replica.ts';
import { ReplicaMemory } from './replica-memory.ts';
import type { SlowDisk } from './slow-disk.ts';

export interface ByteRange {
  offsetBytes: number;
  lengthBytes: number;
}

export class ReplicaRunner {
  readonly ranges = new FileRanges();
  readonly #system: System;
  readonly #gate: Gate;
  readonly #memory: ReplicaMemory;
  readonly #bio = new Bio();
  readonly #journal = new CountJournal();
  readonly #deferral: Deferral = { disk: null };
  #replica: Replica | null = null;
  #sizeBytes = 0;
  #blockBytes = SECTOR_BYTES;
  #ended = false;
  readonly #onEnd = () => {
    this.#ended = true;
  };

  /** `buffers` are those that bios may name. */
  constructor(system: System, gate: Gate, buffers: readonly PinnedBuffer[]) {
    this.#system = system;
    this.#gate = gate;
    this.#memory = new ReplicaMemory(buffers);
  }

  /**
   * Builds the copy anew; awaits no I/O of devices. Touches no file of theirs: by now the plan may be out of date,
   * its descriptors closed, and the gate shut.
   */
  async install(plan: Plan): Promise<void> {
    await this.close();
    this.#replica = await createReplica(plan, {
      files: this.#system.files,
      clock: systemClock,
      nowMs: systemClock.nowMs,
      buffers: this.#memory.buffers,
      memory: this.#memory,
      ranges: this.ranges,
      deferral: this.#deferral,
      journal: this.#journal,
    });
    this.#sizeBytes = this.#replica.device.sizeSectors * SECTOR_BYTES;
    this.#blockBytes = plan.logicalBlockBytes;
  }

  /** Drops the copy and overwrites its keys; everything is the main thread's until the next one is installed. */
  async close(): Promise<void> {
    const replica = this.#replica;
    this.#replica = null;
    this.#sizeBytes = 0;
    this.#journal.clear();
    await replica?.close();
  }

  /** Whether the range is not empty, lies on the device and on its blocks. */
  accepts({ offsetBytes, lengthBytes }: ByteRange): boolean {
    const blockBytes = this.#blockBytes;
    return (
      lengthBytes > 0 &&
      offsetBytes + lengthBytes <= this.#sizeBytes &&
      lengthBytes % blockBytes === 0 &&
      offsetBytes % blockBytes === 0
    );
  }

  /** How much of `lengthBytes` is whole blocks. */
  wholeBlocks(lengthBytes: number): number {
    return lengthBytes - (lengthBytes % this.#blockBytes);
  }

  /** What follows, up to the next `begin`, is one request: when a part of it fails, nothing of it counts. */
  begin(): void {
    this.#journal.clear();
    this.#deferral.disk = null;
  }

  /** The disk that was too slow for the request at hand, if that was the reason why it failed. */
  get slowDisk(): SlowDisk | null {
    return this.#deferral.disk;
  }

  /** Reads into the buffer that owns `bytes`. False: it needs the main thread, which starts it anew. */
  read(range: ByteRange, bytes: Uint8Array, at: number): boolean {
    return this.#run(Op.read, range, bytes, at);
  }

  write(range: ByteRange, bytes: Uint8Array, at: number): boolean {
    return this.#run(Op.write, range, bytes, at);
  }

  #run(op: Op, range: ByteRange, bytes: Uint8Array, at: number): boolean {
    const entered = this.#gate.enter();
    const done = entered && this.#submit(op, range, bytes, at);
    if (!done) this.#journal.takeBack();
    // Only now: the main thread reads the counters once the gate is shut.
    if (entered) this.#gate.leave();
    return done;
  }

  /** Finds where on files the range lies, into `ranges`. True: the caller is inside the gate and must leave it. */
  locate(range: ByteRange): boolean {
    if (!this.#gate.enter()) return false;
    this.ranges.begin();
    const done = this.#submit(Op.read, range, NO_DATA, 0);
    this.ranges.end();
    if (done && this.ranges.totalBytes === range.lengthBytes) return true;
    this.#journal.takeBack();
    this.#gate.leave();
    return false;
  }

  #submit(op: Op, { offsetBytes, lengthBytes }: ByteRange, bytes: Uint8Array, at: number): boolean {
    const bio = this.#bio;
    bio.op = op;
    bio.flags = 0;
    bio.device = this.#replica!.device;
    bio.sector = offsetBytes / SECTOR_BYTES;
    bio.sectorCount = lengthBytes / SECTOR_BYTES;
    bio.data = bytes;
    bio.dataOffset = at;
    bio.startMs = 0;
    bio.endMs = 0;
    bio.onEnd = this.#onEnd;
    this.#ended = false;
    this.#replica!.device.submit(bio);
    assert(this.#ended, 'a bio on a copy ends before submit returns');
    return bio.error === 0;
  }
}
