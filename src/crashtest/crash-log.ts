/**
 * What a workload did to its disk, in the order in which it ended: dm-log-writes' model, whatever it was recorded by.
 *
 * Invariants
 * - A write stands in the log behind everything that had ended when it ended.
 * - What stands before a flush is durable from that entry on; a write with FUA is durable from its own entry on. Nothing else is.
 * - A write that ended while a flush was under way stands behind that flush, which may not have had it.
 */

import type { EntryList } from './entry-list.ts';
import type { LogData } from './log-data.ts';

/** `zeroes` and `discard` carry no data; both leave zeroes. A mark is a word of the workload's, at its place in time. */
export type LogKind = 'write' | 'zeroes' | 'discard' | 'flush' | 'mark';

export interface LogEntry {
  readonly kind: LogKind;
  /** Everything before this entry is durable from it on, whatever else it is. */
  readonly flush: boolean;
  /** This entry's own data are durable from it on. */
  readonly fua: boolean;
  /** Of the disk; both 0 for flushes and marks. */
  readonly sector: number;
  readonly sectorCount: number;
  /** Where the data of a write begin in the log's data, in sectors. */
  readonly dataSector: number;
  /** Of a mark. */
  readonly text: string;
  /** Since the beginning of the workload; null where the log does not say. */
  readonly timeMs: number | null;
}

export interface CrashLog {
  readonly sizeSectors: number;
  readonly entries: EntryList;
  readonly data: LogData;
}

/** For people: `407: write of sectors 2048 to 2055, at 1.250 s`. */
export function describeEntry(log: CrashLog, number: number): string {
  const { kind, sector, sectorCount, fua, flush, text, timeMs } = log.entries.at(number);
  const time = timeMs === null ? '' : `, at ${(timeMs / 1000).toFixed(3)} s`;
  if (kind === 'mark') return `${number}: mark "${text}"${time}`;
  if (sectorCount === 0) return `${number}: flush${time}`;
  const last = sector + sectorCount - 1;
  const range = sectorCount === 1 ? `sector ${sector}` : `sectors ${sector} to ${last}`;
  const flags = `${flush ? ' after a flush' : ''}${fua ? ' with FUA' : ''}`;
  return `${number}: ${kind} of ${range}${flags}${time}`;
}
