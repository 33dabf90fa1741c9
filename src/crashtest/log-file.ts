/** Write logs in files: recorded by the target log-writes, by the kernel or by qemu's blklogwrites, and those that are kept for later. */

import { closeSync, existsSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { DmError, errnoName, errnoOf } from '../base/errors.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { openFileDisk } from '../devices/byte-disk.ts';
import { WriteLogFlag } from '../formats/write-log/layout.ts';
import { readWriteLog } from '../formats/write-log/read-write-log.ts';
import type { WriteLog } from '../formats/write-log/write-log.ts';
import { WriteLogWriter } from '../formats/write-log/write-log-writer.ts';
import type { CrashLog, LogEntry } from './crash-log.ts';
import { EntryList } from './entry-list.ts';
import { readFile } from './read-file.ts';

export interface OpenLog extends Disposable {
  readonly log: CrashLog;
  /** Why the end of the log is missing; null: it is whole. */
  readonly problem: string | null;
}

/** Throws DmError or FormatError. */
export async function openLogFile(path: string): Promise<OpenLog> {
  if (!existsSync(path)) throw new DmError('ENOENT', `Cannot open the log ${path}: no such file`);
  await using disk = await openFileDisk(path, { readOnly: true, lock: 'none' });
  const written = await readWriteLog(disk);
  const fd = openSync(path, 'r');
  const data = {
    read: (dataSector: number, sectorCount: number, target: Uint8Array, offsetBytes: number) => {
      const lengthBytes = sectorsToBytes(sectorCount);
      const range = { fd, path, positionBytes: sectorsToBytes(dataSector), lengthBytes };
      if (readFile(range, target, offsetBytes) === lengthBytes) return;
      throw new DmError('EIO', `Cannot read ${path}: it became shorter`);
    },
  };
  return {
    log: { sizeSectors: written.diskSectors, entries: entriesOf(written), data },
    problem: written.tear?.problem.message ?? null,
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function entriesOf(written: WriteLog): EntryList {
  const entries = new EntryList();
  for (let entry = 0; entry < written.entryCount; entry += 1) {
    const flags = written.flags(entry);
    entries.add({
      kind: written.kind(entry),
      flush: (flags & WriteLogFlag.flush) !== 0,
      fua: (flags & WriteLogFlag.fua) !== 0,
      sector: written.sector(entry),
      sectorCount: written.sectorCount(entry),
      dataSector: written.dataOffsetBytes(entry) / SECTOR_BYTES,
      text: written.mark(entry) ?? '',
      timeMs: null,
    });
  }
  return entries;
}

/** Zeroed ranges up to this are written out. */
const WRITTEN_ZEROES_SECTORS = 2048;

/**
 * Throws DmError when it cannot be written. The format has no zeroes without data: they are written out, so that every program reads them, and those
 * of a large range are a discard, which a reader of ours takes for the same.
 */
export async function saveLogFile(log: CrashLog, path: string): Promise<void> {
  try {
    await using file = await open(path, 'w', 0o600);
    const sink = {
      sizeBytes: Number.POSITIVE_INFINITY,
      write: async (offsetBytes: number, bytes: Uint8Array) => {
        await file.write(bytes, 0, bytes.byteLength, offsetBytes);
      },
      flush: () => file.datasync(),
    };
    const writer = new WriteLogWriter(sink, { sectorBytes: SECTOR_BYTES });
    for (const entry of log.entries) await appendEntry(writer, log, entry);
    await writer.finish();
  } catch (error) {
    if (error instanceof DmError) throw error;
    const code = errnoName(errnoOf(error));
    throw new DmError('EIO', `Cannot keep the log in ${path}: ${code}`, { cause: error });
  }
}

async function appendEntry(writer: WriteLogWriter, log: CrashLog, entry: LogEntry): Promise<void> {
  const { sector, sectorCount } = entry;
  const isLarge = entry.kind === 'zeroes' && sectorCount > WRITTEN_ZEROES_SECTORS;
  const kind = isLarge ? 'discard' : entry.kind;
  const flags =
    (entry.flush ? WriteLogFlag.flush : 0) |
    (entry.fua ? WriteLogFlag.fua : 0) |
    (kind === 'discard' ? WriteLogFlag.discard : 0) |
    (kind === 'mark' ? WriteLogFlag.mark : 0);
  if (kind !== 'write' && kind !== 'zeroes') {
    await writer.append({
      sector,
      sectorCount,
      flags,
      ...(kind === 'mark' && { mark: entry.text }),
    });
    return;
  }
  const data = new Uint8Array(sectorsToBytes(sectorCount));
  if (kind === 'write') log.data.read(entry.dataSector, sectorCount, data, 0);
  await writer.append({ sector, sectorCount, flags }, data);
}
