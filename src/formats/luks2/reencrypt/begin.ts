/**
 * The metadata of a volume at the start of a re-encryption. Pure: nothing is read or written; what must be moved first is answered.
 *
 * Layouts (D: where data begin, S: the shift, M: the moved beginning, at most S):
 *
 *   encrypt, header comes in front    before [plain data ........][2 S unused]
 *   (S = D, backward)                 now    [header D][plain from S on .][gap S][plain 0..M]
 *                                     then   [header D][all data, encrypted .........]
 *   decrypt, header exported          before [header D][encrypted data .............]
 *   (S = D, forward)                  now    [encrypted 0..M][gap][encrypted from M on]
 *                                     then   [plain data ...........][noise, S]
 *   change, with shift (backward)     before [header D][encrypted data ....][S unused]
 *                                     then   [header D + S][encrypted data ........]
 *   all others                        in place
 */

import { DmError } from '../../../base/errors.ts';
import type { Luks2Header } from '../header.ts';
import {
  isCryptSegment,
  type Luks2CryptSegment,
  type Luks2Metadata,
  type Luks2ReencryptArea,
  type Luks2Segment,
} from '../metadata.ts';
import { requirementsOf, setRequirements } from '../requirements.ts';
import { freeSlot, largestGap } from './area.ts';
import { setSegments, sideSegment } from './segments.ts';
import { bytesOf, reencryptSlot, SECTOR_BYTES } from './state.ts';
import type { ReencryptDirection, ReencryptMode, ReencryptTuning, Resilience } from './types.ts';

/** cryptsetup's: the moved beginning of a decryption. */
const DEFAULT_MOVED_BYTES = 20 * 1024 * 1024;
const DEFAULT_HASH = 'sha256';
const AREA_OF_DATASHIFT_BYTES = 4096;

/** Bytes that lie elsewhere from now on; they are copied, and flushed, before the header says so. */
export interface Move {
  fromBytes: number;
  toBytes: number;
  lengthBytes: number;
}

export interface DataDisk {
  sizeBytes: number;
  sectorBytes: number;
  /** Bytes of the digest of the chosen hash. */
  digestBytes: number;
}

interface Volume {
  segment: Luks2CryptSegment;
  digest: number;
  offsetBytes: number;
}

/** `--encrypt`. `metadata` are a new volume's; answers what must be moved. */
export function beginEncrypt(
  header: Luks2Header,
  disk: DataDisk,
  tuning: ReencryptTuning & { reduceBytes?: number },
): Move | null {
  const { metadata } = header;
  const volume = onlyVolume(metadata);
  const { segment, offsetBytes } = volume;
  const final: Entry = [withFlag({ ...segment }, 'backup-final'), [volume.digest]];
  const sizeBytes = volumeSize(disk, offsetBytes, tuning, [segment.sector_size]);
  if (tuning.reduceBytes === undefined) {
    const linear = () => sideSegment(plain, { offsetBytes, lengthBytes: null, ivSectors: 0 });
    setSegments(metadata, [[linear(), []], [withFlag(linear(), 'backup-previous'), []], final]);
    addSlot(header, disk, { mode: 'encrypt', direction: 'forward', tuning });
    return null;
  }
  const shiftBytes = shiftOf(tuning.reduceBytes, offsetBytes);
  const dataBytes = sizeBytes - shiftBytes;
  if (dataBytes <= 0) throw tooSmall(disk, offsetBytes + shiftBytes);
  const movedBytes = Math.min(dataBytes, shiftBytes);
  const linear = (offset: number, lengthBytes: number) =>
    sideSegment(plain, { offsetBytes: offset, lengthBytes, ivSectors: 0 });
  const regular: Entry[] = [[linear(sizeBytes, movedBytes), []]];
  if (dataBytes > movedBytes) regular.push([linear(shiftBytes, dataBytes - movedBytes), []]);
  setSegments(metadata, [
    ...regular,
    [withFlag(linear(0, dataBytes), 'backup-previous'), []],
    final,
    [withFlag(linear(sizeBytes, movedBytes), 'backup-moved-segment'), []],
  ]);
  addSlot(header, disk, {
    mode: 'encrypt',
    direction: 'backward',
    tuning,
    type: 'datashift',
    shiftBytes,
  });
  return { fromBytes: 0, toBytes: sizeBytes, lengthBytes: movedBytes };
}

/** `--decrypt` with a detached header. Forward, not backward as in cryptsetup, which then takes a last hot zone that it recovered for the first one. */
export function beginDecrypt(header: Luks2Header, disk: DataDisk, tuning: ReencryptTuning): void {
  const { metadata } = header;
  const { segment, digest, offsetBytes } = onlyVolume(metadata);
  if (offsetBytes !== 0) {
    throw new DmError(
      'ENOTSUP',
      `LUKS2 decryption is supported with detached header device only (with data offset set to 0), got data offset ${offsetBytes} bytes`,
    );
  }
  volumeSize(disk, offsetBytes, tuning, [segment.sector_size]);
  const final = sideSegment(plain, { offsetBytes, lengthBytes: null, ivSectors: 0 });
  setSegments(metadata, [
    [segment, [digest]],
    [withFlag({ ...segment }, 'backup-previous'), [digest]],
    [withFlag(final, 'backup-final'), []],
  ]);
  addSlot(header, disk, { mode: 'decrypt', direction: 'forward', tuning });
}

/** `--decrypt` of a volume whose header, a copy of which this is, stands in front of the data. */
export function beginDecryptShifted(
  header: Luks2Header,
  disk: DataDisk,
  tuning: ReencryptTuning,
): Move {
  const { metadata } = header;
  const { segment, digest, offsetBytes } = onlyVolume(metadata);
  const sizeBytes = volumeSize(disk, offsetBytes, tuning, [segment.sector_size]);
  if (offsetBytes === 0) {
    throw new DmError('EINVAL', 'Cannot decrypt with datashift: the header stands not in front');
  }
  const movedBytes = movedLength(disk, offsetBytes, sizeBytes, tuning);
  const old = { cipher: segment.encryption, sectorBytes: segment.sector_size, ivTweak: 0 };
  const crypt = (offset: number, lengthBytes: number | null, ivSectors: number) =>
    sideSegment(old, { offsetBytes: offset, lengthBytes, ivSectors });
  const regular: Entry[] = [[crypt(0, movedBytes, 0), [digest]]];
  if (sizeBytes > movedBytes) {
    const rest = crypt(offsetBytes + movedBytes, null, movedBytes / SECTOR_BYTES);
    regular.push([rest, [digest]]);
  }
  const previous = crypt(offsetBytes, tuning.deviceBytes ?? null, 0);
  const final = sideSegment(plain, { offsetBytes: 0, lengthBytes: null, ivSectors: 0 });
  setSegments(metadata, [
    ...regular,
    [withFlag(previous, 'backup-previous'), [digest]],
    [withFlag(final, 'backup-final'), []],
    [withFlag(crypt(0, movedBytes, 0), 'backup-moved-segment'), [digest]],
  ]);
  const type = tuning.resilience === 'journal' ? 'datashift-journal' : 'datashift-checksum';
  if (tuning.resilience === 'none') throw cannotApply('none');
  addSlot(header, disk, {
    mode: 'decrypt',
    direction: 'forward',
    tuning,
    type,
    shiftBytes: offsetBytes,
  });
  checkMovedFits(metadata, disk, movedBytes);
  return { fromBytes: offsetBytes, toBytes: 0, lengthBytes: movedBytes };
}

export interface Change extends ReencryptTuning {
  newDigest: number;
  cipher?: string;
  sectorBytes?: number;
  shiftBytes?: number;
}

/** Another key, cipher or sector size. */
export function beginChange(header: Luks2Header, disk: DataDisk, change: Change): void {
  const { metadata } = header;
  const { segment, digest, offsetBytes } = onlyVolume(metadata);
  const { shiftBytes = 0, cipher = segment.encryption } = change;
  const sectorBytes = change.sectorBytes ?? segment.sector_size;
  const isSame = cipher === segment.encryption && sectorBytes === segment.sector_size;
  if (isSame && digest === change.newDigest) {
    throw new DmError('EINVAL', 'No data segment parameters changed. Reencryption aborted.');
  }
  const sizes = [segment.sector_size, sectorBytes];
  volumeSize(disk, offsetBytes + shiftBytes, change, sizes);
  checkAligned('Data shift value', shiftBytes, sizes);
  const final = sideSegment(
    { cipher, sectorBytes, ivTweak: 0 },
    { offsetBytes: offsetBytes + shiftBytes, lengthBytes: null, ivSectors: 0 },
  );
  setSegments(metadata, [
    [segment, [digest]],
    [withFlag({ ...segment }, 'backup-previous'), [digest]],
    [withFlag(final, 'backup-final'), [change.newDigest]],
  ]);
  const shift = shiftBytes > 0 ? ({ type: 'datashift', shiftBytes } as const) : {};
  const direction = shiftBytes > 0 ? 'backward' : 'forward';
  addSlot(header, disk, { mode: 'reencrypt', direction, tuning: change, ...shift });
}

const plain = { cipher: null, sectorBytes: SECTOR_BYTES, ivTweak: 0 };

type Entry = readonly [Luks2Segment, readonly number[]];

function withFlag<T extends Luks2Segment>(segment: T, flag: string): T {
  segment.flags = [flag];
  return segment;
}

/** Of a volume that is in no re-encryption. */
function onlyVolume(metadata: Luks2Metadata): Volume {
  const [entry, ...more] = metadata.segments;
  if (!entry || more.length > 0 || !isCryptSegment(entry[1])) {
    const types = [...metadata.segments.values()].map((segment) => segment.type).join(', ');
    throw new DmError('ENOTSUP', `Cannot re-encrypt: expected one crypt segment, got ${types}`);
  }
  const [number, segment] = entry;
  if (segment.integrity) {
    throw new DmError('ENOTSUP', 'Reencryption of device with integrity profile is not supported.');
  }
  if (segment.iv_tweak !== '0' || segment.size !== 'dynamic') {
    throw new DmError('ENOTSUP', 'Cannot re-encrypt: iv_tweak must be 0 and size dynamic');
  }
  const digest = [...metadata.digests].find(([, { segments }]) =>
    segments.includes(String(number)),
  )?.[0];
  if (digest === undefined) throw new DmError('EINVAL', 'Cannot re-encrypt: segment has no digest');
  return { segment, digest, offsetBytes: bytesOf(segment.offset, 'offset') };
}

/** Of the data from `offsetBytes` on, as much as is asked for. */
function volumeSize(
  disk: DataDisk,
  offsetBytes: number,
  { deviceBytes }: ReencryptTuning,
  sectorSizes: readonly number[],
): number {
  const room = disk.sizeBytes - offsetBytes;
  if (room <= 0) throw tooSmall(disk, offsetBytes);
  if (deviceBytes !== undefined && deviceBytes > room) {
    throw new DmError(
      'EINVAL',
      `Reduced data size is larger than real device size: ${deviceBytes} bytes, expected at most ${room}`,
    );
  }
  const sizeBytes = deviceBytes ?? room;
  checkAligned('Data device', sizeBytes, sectorSizes);
  return sizeBytes;
}

function checkAligned(what: string, bytes: number, sectorSizes: readonly number[]): void {
  const sectorBytes = Math.max(...sectorSizes);
  if (bytes % sectorBytes === 0) return;
  throw new DmError(
    'EINVAL',
    `${what} is not aligned to encryption sector size (${sectorBytes} bytes): ${bytes} bytes`,
  );
}

function shiftOf(reduceBytes: number, offsetBytes: number): number {
  if (reduceBytes === 2 * offsetBytes && offsetBytes > 0) return offsetBytes;
  throw new DmError(
    'EINVAL',
    `Cannot encrypt: --reduce-device-size must be twice the data offset (${offsetBytes} bytes), got ${reduceBytes}`,
  );
}

function movedLength(
  disk: DataDisk,
  shiftBytes: number,
  sizeBytes: number,
  { hotzoneBytes }: ReencryptTuning,
): number {
  if (hotzoneBytes !== undefined && hotzoneBytes > shiftBytes) {
    throw new DmError(
      'EINVAL',
      `Moved segment size can not be greater than data shift value: ${hotzoneBytes} bytes, expected at most ${shiftBytes}`,
    );
  }
  const wanted = hotzoneBytes ?? Math.min(shiftBytes, DEFAULT_MOVED_BYTES);
  checkAligned('Hotzone size', wanted, [disk.sectorBytes]);
  return Math.min(wanted, sizeBytes);
}

/** It is decrypted in place, in one step, which the area must protect. */
function checkMovedFits(metadata: Luks2Metadata, disk: DataDisk, movedBytes: number): void {
  const [, { area }] = reencryptSlot(metadata);
  const areaBytes = Number(area.size);
  const isJournal = area.type === 'datashift-journal';
  const blocks = Math.floor(areaBytes / disk.digestBytes);
  const fitsBytes = isJournal ? areaBytes : blocks * (area.sector_size ?? 0);
  if (movedBytes <= fitsBytes) return;
  throw new DmError(
    'ENOSPC',
    `Moved segment too large. Requested size ${movedBytes}, available space for: ${fitsBytes}.`,
  );
}

const cannotApply = (resilience: string) =>
  new DmError(
    'EINVAL',
    `Requested --resilience option cannot be applied to current reencryption operation: "${resilience}"`,
  );

const tooSmall = (disk: DataDisk, bytes: number) =>
  new DmError(
    'EINVAL',
    `Device is too small: ${disk.sizeBytes} bytes, expected more than ${bytes}`,
  );

interface NewSlot {
  mode: ReencryptMode;
  direction: ReencryptDirection;
  tuning: ReencryptTuning;
  /** Default: as tuned. */
  type?: Resilience;
  shiftBytes?: number;
}

function addSlot(header: Luks2Header, disk: DataDisk, slot: NewSlot): void {
  const { metadata } = header;
  const type = slot.type ?? slot.tuning.resilience ?? 'checksum';
  if (slot.type === 'datashift' && slot.tuning.resilience)
    throw cannotApply(slot.tuning.resilience);
  const gap = largestGap(header);
  const lengthBytes = type === 'datashift' ? AREA_OF_DATASHIFT_BYTES : gap.sizeBytes;
  const place = { offset: String(gap.offsetBytes), size: String(lengthBytes) };
  const area: Luks2ReencryptArea = { ...place, type, ...checksumOf(metadata, disk, type, slot) };
  if (slot.shiftBytes) area.shift_size = String(slot.shiftBytes);
  const number = freeSlot(header);
  metadata.keyslots.set(number, {
    area,
    type: 'reencrypt',
    key_size: 1,
    mode: slot.mode,
    direction: slot.direction,
    priority: 0,
  });
  const version = type.startsWith('datashift-') ? 3 : 2;
  setRequirements(metadata, [...requirementsOf(metadata), `online-reencrypt-v${version}`]);
}

function checksumOf(
  metadata: Luks2Metadata,
  disk: DataDisk,
  type: Resilience,
  { tuning }: NewSlot,
): Partial<Luks2ReencryptArea> {
  if (!type.endsWith('checksum')) return {};
  return { hash: tuning.hash ?? DEFAULT_HASH, sector_size: alignmentOf(metadata, disk) };
}

/** What is written whole or not at all: the larger of the sectors of disk and ciphers. */
export function alignmentOf(metadata: Luks2Metadata, disk: Pick<DataDisk, 'sectorBytes'>): number {
  const sizes = [...metadata.segments.values()].map((segment) =>
    isCryptSegment(segment) ? segment.sector_size : SECTOR_BYTES,
  );
  return Math.max(disk.sectorBytes, ...sizes);
}
