/**
 * Reads both copies of the header and takes the newer one that is right. Never writes: a bad copy is noted, and put right by the next write.
 *
 * If the primary copy cannot tell its size, the secondary one is looked for at every offset it may have. A copy whose checksum is right but
 * whose metadata is refused counts as bad. Of two good ones the higher sequence number wins, at equal ones the primary copy.
 */

import { DmError, FormatError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import {
  BINARY_HEADER_BYTES,
  type BinaryHeader,
  type CopyName,
  decodeBinaryHeader,
  HEADER_SIZES_BYTES,
  hasMagic,
} from './binary-header.ts';
import { type CopyDamage, type Luks2Header, wholeHeaderBytes } from './header.ts';
import { checkChecksum, decodeMetadata } from './header-copy.ts';
import type { Luks2Metadata } from './metadata.ts';

/** What became of one copy; `binary` is there if the checksum is right. */
interface CopyRead {
  name: CopyName;
  binary: BinaryHeader | null;
  metadata: Luks2Metadata | null;
  problem: DmError | FormatError | null;
}

/** Throws FormatError when neither copy is right; DmError EIO when neither can be read, EINVAL when the disk is smaller than the header says. */
export async function readHeader(disk: ByteDisk): Promise<Luks2Header> {
  const primary = await readCopy(disk, 'primary', 0);
  const secondary = primary.binary
    ? await readCopy(disk, 'secondary', primary.binary.headerBytes)
    : await findSecondary(disk);
  const header = newer(primary, secondary);
  if (!header) throw worst(primary, secondary);
  const neededBytes = wholeHeaderBytes(header);
  if (disk.sizeBytes < neededBytes) {
    throw new DmError(
      'EINVAL',
      `Cannot open LUKS2 volume: Device ${disk.name} is too small: its header and key slots need ${neededBytes} bytes, it has ${disk.sizeBytes}`,
    );
  }
  return header;
}

/** Whether one of the copies has our magic and version, right or damaged. For probing. */
export async function looksLikeLuks2(disk: ByteDisk): Promise<boolean> {
  for (const offsetBytes of [0, ...HEADER_SIZES_BYTES]) {
    if (offsetBytes + 8 > disk.sizeBytes) return false;
    const start = await disk.read(offsetBytes, 8);
    const isVersion2 = start[6] === 0 && start[7] === 2;
    if (isVersion2 && hasMagic(start, offsetBytes === 0 ? 'primary' : 'secondary')) return true;
  }
  return false;
}

async function findSecondary(disk: ByteDisk): Promise<CopyRead> {
  let best: CopyRead | null = null;
  for (const offsetBytes of HEADER_SIZES_BYTES) {
    const copy = await readCopy(disk, 'secondary', offsetBytes);
    if (copy.binary) return copy;
    // The one that at least looks like a header tells most.
    if (!best || isOnlyMagic(best.problem)) best = copy;
  }
  return best!;
}

function isOnlyMagic(problem: CopyRead['problem']): boolean {
  return !(problem instanceof FormatError) || problem.problem.field === 'magic';
}

async function readCopy(disk: ByteDisk, name: CopyName, offsetBytes: number): Promise<CopyRead> {
  const result: CopyRead = { name, binary: null, metadata: null, problem: null };
  try {
    const start = await disk.read(offsetBytes, BINARY_HEADER_BYTES);
    const binary = decodeBinaryHeader(start, name, offsetBytes);
    const copy = await disk.read(offsetBytes, binary.headerBytes);
    await checkChecksum(copy, binary, name);
    result.binary = binary;
    result.metadata = decodeMetadata(copy.subarray(BINARY_HEADER_BYTES));
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof DmError)) throw error;
    result.problem = error;
  }
  return result;
}

function newer(primary: CopyRead, secondary: CopyRead): Luks2Header | null {
  const damage = { primary: damageOf(primary), secondary: damageOf(secondary) };
  if (!damage.primary && !damage.secondary) {
    const first = primary.binary!.sequenceId;
    const second = secondary.binary!.sequenceId;
    if (first > second) damage.secondary = obsolete('secondary', second, first);
    if (first < second) damage.primary = obsolete('primary', first, second);
  }
  const chosen = !damage.primary ? primary : !damage.secondary ? secondary : null;
  if (!chosen?.binary || !chosen.metadata) return null;
  const { headerBytes, sequenceId, uuid, label, subsystem, checksumAlgorithm, salt } =
    chosen.binary;
  return {
    headerBytes,
    sequenceId,
    uuid,
    label,
    subsystem,
    checksumAlgorithm,
    salts: {
      primary: primary.binary?.salt ?? salt,
      secondary: secondary.binary?.salt ?? salt,
    },
    metadata: chosen.metadata,
    damage,
  };
}

function damageOf(copy: CopyRead): CopyDamage | null {
  if (!copy.problem) return null;
  const kind = copy.problem instanceof DmError ? 'unreadable' : 'invalid';
  return { kind, message: copy.problem.message };
}

function obsolete(name: CopyName, ownId: bigint, otherId: bigint): CopyDamage {
  const message = `The ${name} LUKS2 header is older than the other one: sequence number ${ownId}, there ${otherId}`;
  return { kind: 'obsolete', message };
}

/** What to tell when nothing is right: the copy that looks most like a header. */
function worst(primary: CopyRead, secondary: CopyRead): Error {
  const [told, other] = isOnlyMagic(primary.problem)
    ? [secondary.problem, primary.problem]
    : [primary.problem, secondary.problem];
  if (told instanceof FormatError) {
    // Neither magic: the primary's place is where people look.
    const shown = told.problem.field === 'magic' && other instanceof FormatError ? other : told;
    return new FormatError(shown.problem, { cause: shown === told ? other : told });
  }
  return (other ?? told)!;
}
