/**
 * Reads a write log from its start, a window at a time. Nothing in it is believed before it was checked: an entry that cannot be one ends the log there,
 * and the log says so (`tear`); only a super block that is none is an error.
 */

import { FormatError } from '../../base/errors.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { ENTRY, isSectorSize, KNOWN_FLAGS, SUPER_BLOCK, WriteLogFlag } from './layout.ts';
import { WriteLog, type WriteLogEntry } from './write-log.ts';

export interface ReadWriteLogOptions {
  /**
   * Also what lies behind the entries that the super block counts: dm-log-writes writes it at marks and FUA only, so a machine that died leaves
   * more than it says. An older log that was there before may be taken for entries too.
   */
  pastCount?: boolean;
}

const WINDOW_BYTES = 2 ** 20;
/** The number of a sector, and the bytes up to it, stay exact. */
const MAX_SECTOR = Math.floor(Number.MAX_SAFE_INTEGER / SECTOR_BYTES);

/** Throws FormatError when there is no log, DmError EIO when it cannot be read. */
export async function readWriteLog(
  disk: ByteDisk,
  { pastCount = false }: ReadWriteLogOptions = {},
): Promise<WriteLog> {
  const superBlock = await readSuperBlock(disk);
  const { sectorBytes, entryCount } = superBlock;
  const log = new WriteLog({ sectorBytes, countedEntries: entryCount });
  const window = new Window(disk, sectorBytes);
  while (pastCount || log.entryCount < entryCount) {
    const offsetBytes = log.endOffsetBytes;
    try {
      checkRest(disk, offsetBytes, sectorBytes);
      // No promise for each entry, of which there may be millions.
      if (!window.has(offsetBytes)) await window.move(offsetBytes);
      const at = offsetBytes - window.startBytes;
      log.add(decodeEntry(window.bytes, at, { log, restBytes: disk.sizeBytes - offsetBytes }));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (log.entryCount < entryCount) log.tear = { offsetBytes, problem: error };
      return log;
    }
  }
  return log;
}

async function readSuperBlock(disk: ByteDisk) {
  const bytes = await disk.read(0, Math.min(disk.sizeBytes, SECTOR_BYTES));
  const superBlock = SUPER_BLOCK.decode(bytes);
  if (isSectorSize(superBlock.sectorBytes)) return superBlock;
  throw new FormatError({
    format: 'write log super block',
    field: 'sectorBytes',
    offsetBytes: SUPER_BLOCK.offsets.sectorBytes,
    expected: 'a power of two from 512 to 8388608',
    got: String(superBlock.sectorBytes),
  });
}

/** The part of the log that is in memory. */
class Window {
  bytes: Uint8Array = new Uint8Array(0);
  readonly #disk: ByteDisk;
  readonly #sectorBytes: number;
  startBytes = 0;

  constructor(disk: ByteDisk, sectorBytes: number) {
    this.#disk = disk;
    this.#sectorBytes = sectorBytes;
  }

  /** Whether the log sector at `offsetBytes` is in it. */
  has(offsetBytes: number): boolean {
    return offsetBytes + this.#sectorBytes <= this.startBytes + this.bytes.byteLength;
  }

  /** To a log sector behind those it had, which lies on the disk. */
  async move(offsetBytes: number): Promise<void> {
    const lengthBytes = Math.max(WINDOW_BYTES, this.#sectorBytes);
    const restBytes = this.#disk.sizeBytes - offsetBytes;
    this.bytes = await this.#disk.read(offsetBytes, Math.min(lengthBytes, restBytes));
    this.startBytes = offsetBytes;
  }
}

type EntryField = keyof typeof ENTRY.offsets;

interface EntryPlace {
  log: WriteLog;
  /** From the entry to the end of the disk. */
  restBytes: number;
}

/** By hand instead of `ENTRY.decode`, for there may be millions; the offsets are the declaration's. */
function decodeEntry(bytes: Uint8Array, at: number, place: EntryPlace): WriteLogEntry {
  const { sectorBytes } = place.log;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, sectorBytes);
  const unit = sectorBytes / SECTOR_BYTES;
  const { offsets } = ENTRY;
  const flags = numberAt(view, offsets.flags);
  if (flags > KNOWN_FLAGS) throw wrong(place, 'flags', `at most ${KNOWN_FLAGS}`, flags);
  const sector = numberAt(view, offsets.sector) * unit;
  const sectorCount = numberAt(view, offsets.sectorCount) * unit;
  if (flags === 0 && sectorCount === 0) {
    throw wrong(place, 'flags', 'some, for there is nothing written', flags);
  }
  if (!(sector + sectorCount <= MAX_SECTOR)) {
    throw wrong(place, 'sector', `a range that ends by sector ${MAX_SECTOR}`, sector + sectorCount);
  }
  const dataBytes = numberAt(view, offsets.dataBytes);
  if (flags & WriteLogFlag.mark) {
    checkMark(place, { sectorCount, dataBytes });
    checkPadding(place, bytes, at, dataBytes);
    const text = bytes.subarray(at + ENTRY.sizeBytes, at + ENTRY.sizeBytes + dataBytes);
    return { sector, sectorCount, flags, mark: new TextDecoder().decode(text) };
  }
  checkPadding(place, bytes, at, 0);
  const carriedBytes = flags & WriteLogFlag.discard ? 0 : sectorCount * SECTOR_BYTES;
  const roomBytes = place.restBytes - sectorBytes;
  if (carriedBytes > roomBytes) {
    const expected = `at most the ${roomBytes} bytes that follow in the log`;
    throw wrong(place, 'sectorCount', expected, carriedBytes);
  }
  return { sector, sectorCount, flags };
}

/** Inexact above 2^53, where every check says no anyway. */
function numberAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

function checkMark(place: EntryPlace, mark: { sectorCount: number; dataBytes: number }): void {
  const roomBytes = place.log.sectorBytes - ENTRY.sizeBytes;
  if (mark.sectorCount > 0) throw wrong(place, 'sectorCount', '0 for a mark', mark.sectorCount);
  if (mark.dataBytes <= roomBytes) return;
  throw wrong(place, 'dataBytes', `at most ${roomBytes} for a mark`, mark.dataBytes);
}

/** Zeros behind what an entry says: what tells it from data. */
function checkPadding(place: EntryPlace, bytes: Uint8Array, at: number, textBytes: number): void {
  const end = at + place.log.sectorBytes;
  for (let byte = at + ENTRY.sizeBytes + textBytes; byte < end; byte += 1) {
    if (bytes[byte] === 0) continue;
    const problem = { expected: '0 behind the entry', got: bytes[byte]! };
    throw wrongByte(place, 'padding', byte - at, problem);
  }
}

function checkRest(disk: ByteDisk, offsetBytes: number, sectorBytes: number): void {
  const restBytes = disk.sizeBytes - offsetBytes;
  if (restBytes >= sectorBytes) return;
  throw new FormatError({
    format: `write log "${disk.name}"`,
    field: 'entry',
    offsetBytes,
    expected: `${sectorBytes} bytes`,
    got: `${Math.max(restBytes, 0)}: the log ends there`,
  });
}

function wrong(place: EntryPlace, field: EntryField, expected: string, got: number): FormatError {
  return wrongByte(place, field, ENTRY.offsets[field], { expected, got });
}

function wrongByte(
  { log }: EntryPlace,
  field: string,
  inEntry: number,
  { expected, got }: { expected: string; got: number },
): FormatError {
  return new FormatError({
    format: `write log entry ${log.entryCount}`,
    field,
    offsetBytes: log.endOffsetBytes + inEntry,
    expected,
    got: String(got),
  });
}
