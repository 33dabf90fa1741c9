/** A device of log-writes over two test disks, and its log read back. */

import { assert } from '../base/assert.ts';
import { BioFlag, Op } from '../core/bio.ts';
import { WriteLogFlag } from '../formats/write-log/layout.ts';
import { readWriteLog } from '../formats/write-log/read-write-log.ts';
import { createLogWrites } from '../targets/log-writes/index.ts';
import { MemoryByteDisk } from './memory-disk.ts';
import { submitBio } from './submit.ts';
import type { TestDisk, TestDiskOptions } from './test-disk.ts';
import { World } from './world.ts';

export const DISK_SECTORS = 256;

export class Rig {
  readonly world: World;
  readonly disk: TestDisk;
  readonly log: TestDisk;
  /** Bios that the disk has not ended, by their number in the order of arrival; null: it ends them at once. */
  held: (() => void)[] | null = null;
  /** What the target said. */
  readonly reports: string[] = [];

  constructor(options: { log?: TestDiskOptions; disk?: TestDiskOptions; keptBytes?: number } = {}) {
    const { keptBytes } = options;
    const types = keptBytes === undefined ? [] : [createLogWrites({ keptBytes })];
    const disks = {
      A: { sizeSectors: DISK_SECTORS, ...options.disk },
      L: { sizeSectors: 1024, ...options.log },
    };
    const report = (message: string) => this.reports.push(message);
    this.world = new World({ disks, types, report });
    this.disk = this.world.disks.get('A');
    this.log = this.world.disks.get('L');
    this.disk.answer = (finish) => {
      if (this.held) this.held.push(finish);
      else finish();
    };
  }

  start(table = `0 ${DISK_SECTORS} log-writes A L`) {
    return this.world.start('t', table);
  }

  async read() {
    const log = await readWriteLog(new MemoryByteDisk(this.log.bytes));
    const entries = Array.from({ length: log.entryCount }, (_, entry) => shown(log, entry));
    assert(log.tear === null, 'the log is whole');
    return { log, entries };
  }
}

type Log = Awaited<ReturnType<typeof readWriteLog>>;

/** `W8+8`, `FUA16+1`, `flush`, `D8+8`, `mark:hello` */
export function shown(log: Log, entry: number): string {
  const kind = log.kind(entry);
  if (kind === 'flush') return kind;
  if (kind === 'mark') return `mark:${log.mark(entry)}`;
  const isFua = log.flags(entry) & WriteLogFlag.fua;
  const letter = kind === 'discard' ? 'D' : isFua ? 'FUA' : 'W';
  return `${letter}${log.sector(entry)}+${log.sectorCount(entry)}`;
}

type Device = Awaited<ReturnType<Rig['start']>>;

export function write(
  device: Device,
  sector: number,
  { fua = false, fill = sector, count = 1 } = {},
) {
  const data = new Uint8Array(count * 512).fill(fill);
  const flags = fua ? BioFlag.fua : 0;
  return submitBio(device, { op: Op.write, sector, sectorCount: count, data, flags });
}

export function flush(device: Device) {
  return submitBio(device, { op: Op.flush });
}

export const END = 'mark:dm-log-writes-end';
