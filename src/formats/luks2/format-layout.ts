/** Where the parts of a new volume lie, by cryptsetup's rules (measured with 2.6.1). All checks come before anything is written. */

import { DmError } from '../../base/errors.ts';
import { HEADER_SIZES_BYTES } from './binary-header.ts';
import { AREA_ALIGNMENT_BYTES, KEYSLOTS_AREA_MAX_BYTES } from './limits.ts';

const DEFAULT_HEADER_BYTES = 0x4000;
/** Headers and key slots together, when nobody says otherwise. */
const DEFAULT_TOTAL_BYTES = 16 * 1024 * 1024;
const DEFAULT_ALIGN_BYTES = 1024 * 1024;
const DATA_OFFSET_UNIT_BYTES = 4096;
const SECTOR_BYTES = 512;
const MAX_SECTOR_BYTES = 4096;

export interface LayoutRequest {
  dataOffsetBytes?: number;
  alignBytes?: number;
  detached?: boolean;
  metadataBytes?: number;
  keyslotsBytes?: number;
  sectorBytes?: number;
  bestSectorBytes?: number;
  /** Of the disk that the header goes to, and of the one with the data. */
  headerDiskBytes: number;
  dataDiskBytes: number;
}

export interface Layout {
  headerBytes: number;
  keyslotsBytes: number;
  dataOffsetBytes: number;
  sectorBytes: number;
}

/** Throws DmError EINVAL. */
export function chooseLayout(request: LayoutRequest): Layout {
  const { metadataBytes: headerBytes = DEFAULT_HEADER_BYTES, detached = false } = request;
  checkSizes(request, headerBytes);
  // A detached header says where the data begin, aligned or not.
  const wantedOffsetBytes = request.dataOffsetBytes ?? (detached ? (request.alignBytes ?? 0) : 0);
  const slotsStartBytes = 2 * headerBytes;
  if (wantedOffsetBytes !== 0 && wantedOffsetBytes < slotsStartBytes) {
    throw new DmError(
      'EINVAL',
      `Requested data offset is too small: expected at least ${slotsStartBytes} bytes, got ${wantedOffsetBytes}`,
    );
  }
  const keyslotsBytes = chooseKeyslotsBytes(request, slotsStartBytes, wantedOffsetBytes);
  const alignBytes = detached ? 0 : (request.alignBytes ?? DEFAULT_ALIGN_BYTES);
  const dataOffsetBytes =
    wantedOffsetBytes === 0 && alignBytes > 0
      ? Math.ceil((slotsStartBytes + keyslotsBytes) / alignBytes) * alignBytes
      : wantedOffsetBytes;
  const sectorBytes = chooseSectorBytes(request, wantedOffsetBytes, alignBytes);
  const layout = { headerBytes, keyslotsBytes, dataOffsetBytes, sectorBytes };
  checkRoom(request, layout);
  return layout;
}

function checkSizes(request: LayoutRequest, headerBytes: number): void {
  const { keyslotsBytes = 0, dataOffsetBytes = 0, alignBytes, sectorBytes } = request;
  if (!HEADER_SIZES_BYTES.includes(headerBytes)) {
    throw new DmError(
      'EINVAL',
      `Unsupported LUKS2 metadata size options: the metadata must have a power of 2 from 16 KiB to 4 MiB, got ${headerBytes} bytes`,
    );
  }
  if (
    !Number.isSafeInteger(keyslotsBytes) ||
    keyslotsBytes < 0 ||
    keyslotsBytes % AREA_ALIGNMENT_BYTES !== 0 ||
    keyslotsBytes > KEYSLOTS_AREA_MAX_BYTES
  ) {
    throw new DmError(
      'EINVAL',
      `Unsupported LUKS2 metadata size options: the key slots must have a multiple of 4 KiB, at most 128 MiB, got ${keyslotsBytes} bytes`,
    );
  }
  if (!Number.isSafeInteger(dataOffsetBytes) || dataOffsetBytes % DATA_OFFSET_UNIT_BYTES !== 0) {
    throw new DmError(
      'EINVAL',
      `Data offset is not multiple of ${DATA_OFFSET_UNIT_BYTES} bytes: got ${dataOffsetBytes}`,
    );
  }
  if (alignBytes !== undefined && !(alignBytes > 0 && alignBytes % SECTOR_BYTES === 0)) {
    throw new DmError(
      'EINVAL',
      `Cannot format as LUKS2: the alignment must be a multiple of 512 bytes, got ${alignBytes}`,
    );
  }
  if (alignBytes !== undefined && dataOffsetBytes % alignBytes !== 0) {
    throw new DmError(
      'EINVAL',
      `Requested data alignment is not compatible with data offset: ${dataOffsetBytes} is no multiple of ${alignBytes}`,
    );
  }
  if (sectorBytes !== undefined && ![512, 1024, 2048, 4096].includes(sectorBytes)) {
    throw new DmError(
      'EINVAL',
      `Unsupported encryption sector size: expected 512, 1024, 2048 or 4096, got ${sectorBytes}`,
    );
  }
}

function chooseKeyslotsBytes(
  request: LayoutRequest,
  startBytes: number,
  dataOffsetBytes: number,
): number {
  const roomBytes = (endBytes: number) => {
    const bytes = Math.min(endBytes - startBytes, KEYSLOTS_AREA_MAX_BYTES);
    return bytes - (bytes % AREA_ALIGNMENT_BYTES);
  };
  const { keyslotsBytes, headerDiskBytes } = request;
  if (dataOffsetBytes > 0) {
    return Math.min(keyslotsBytes || KEYSLOTS_AREA_MAX_BYTES, roomBytes(dataOffsetBytes));
  }
  if (keyslotsBytes) return keyslotsBytes;
  const endBytes = Math.min(DEFAULT_TOTAL_BYTES, Math.max(headerDiskBytes, startBytes));
  return roomBytes(endBytes);
}

/** What suits the disk best, where everything is a multiple of it. */
function chooseSectorBytes(
  request: LayoutRequest,
  wantedOffsetBytes: number,
  alignBytes: number,
): number {
  if (request.sectorBytes !== undefined) return request.sectorBytes;
  const bestBytes = request.bestSectorBytes ?? MAX_SECTOR_BYTES;
  // cryptsetup takes the offset in sectors for one in bytes here; the same volume shall come out.
  const offsetFits = (wantedOffsetBytes / SECTOR_BYTES) % bestBytes === 0;
  const sizeFits = (request.dataDiskBytes - alignBytes) % bestBytes === 0;
  return offsetFits && sizeFits ? bestBytes : SECTOR_BYTES;
}

function checkRoom(request: LayoutRequest, layout: Layout): void {
  const { headerBytes, keyslotsBytes, dataOffsetBytes, sectorBytes } = layout;
  const { headerDiskBytes, dataDiskBytes, detached = false } = request;
  const neededBytes = 2 * headerBytes + keyslotsBytes;
  if (headerDiskBytes < neededBytes || keyslotsBytes === 0) {
    throw new DmError(
      'EINVAL',
      `Device is too small: header and key slots need ${Math.max(neededBytes, 2 * headerBytes + AREA_ALIGNMENT_BYTES)} bytes, it has ${headerDiskBytes}`,
    );
  }
  if (!detached && dataDiskBytes <= dataOffsetBytes) {
    throw new DmError(
      'EINVAL',
      `Device is too small for activation, there is no remaining space for data: they begin at ${dataOffsetBytes}, it has ${dataDiskBytes} bytes`,
    );
  }
  const dataBytes = dataDiskBytes - dataOffsetBytes;
  if (dataBytes > 0 && dataBytes % sectorBytes !== 0) {
    throw new DmError(
      'EINVAL',
      `Device size is not aligned to requested sector size: ${dataBytes} bytes of data are no multiple of ${sectorBytes}`,
    );
  }
}
