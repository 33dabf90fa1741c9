/** Entries as text: in replay-log's words, or as JSON. Sectors have 512 bytes, whatever the log counts in. */

import { sectorsToBytes } from '../../base/units.ts';
import { WriteLogFlag } from '../../formats/write-log/layout.ts';
import type { WriteLog } from '../../formats/write-log/write-log.ts';
import { printable } from '../dmsetup/mangle.ts';
import type { EntryRange } from './entry-range.ts';

/** `Log version=1, sectorsize=512, entries=4` */
export function summaryLine(log: WriteLog): string {
  return `Log version=1, sectorsize=${log.sectorBytes}, entries=${log.entryCount}`;
}

/** `3@24: sector 16, size 4096, flags 0x2(FUA)`; behind the @ the log sector where its data are. */
export function entryLine(log: WriteLog, entry: number): string {
  const flags = log.flags(entry);
  const at = log.dataOffsetBytes(entry) / log.sectorBytes;
  const size = sectorsToBytes(log.sectorCount(entry));
  const names = flagNames(flags).join('|').toUpperCase() || 'NONE';
  const text = log.mark(entry);
  const mark = text === null ? '' : `, mark "${printable(text)}"`;
  return `${entry}@${at}: sector ${log.sector(entry)}, size ${size}, flags 0x${flags.toString(16)}(${names})${mark}`;
}

/** Lower case. */
function flagNames(flags: number): string[] {
  return Object.entries(WriteLogFlag)
    .filter(([, flag]) => flags & flag)
    .map(([name]) => name);
}

/** One object on one line, in pieces: there may be millions of entries. */
export function* jsonPieces(log: WriteLog, { first, end }: EntryRange): Generator<string> {
  const head = JSON.stringify({
    version: 1,
    sectorBytes: log.sectorBytes,
    entryCount: log.entryCount,
    countedEntries: log.countedEntries,
    diskSectors: log.diskSectors,
    tear: log.tear && {
      offsetBytes: log.tear.offsetBytes,
      problem: log.tear.problem.message,
    },
  });
  yield `${head.slice(0, -1)},"entries":[`;
  for (let entry = first; entry < end; entry += 1) {
    yield `${entry > first ? ',' : ''}${JSON.stringify(entryObject(log, entry))}`;
  }
  yield ']}\n';
}

function entryObject(log: WriteLog, entry: number) {
  return {
    entry,
    kind: log.kind(entry),
    sector: log.sector(entry),
    sectorCount: log.sectorCount(entry),
    flags: flagNames(log.flags(entry)),
    offsetBytes: log.entryOffsetBytes(entry),
    mark: log.mark(entry),
  };
}
