/**
 * Writes the header so that one of its copies is right at any time: one copy, flushed, then the other one, flushed. A copy that is bad or
 * obsolete is written first, because the other one is the only one until then; else the primary one is first, as cryptsetup does it.
 */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { randomBytes } from '../../crypto/random.ts';
import { BINARY_HEADER_BYTES, CHECKSUM_BYTES, type CopyName, SALT_BYTES } from './binary-header.ts';
import { copyOffsetBytes, type Luks2Header, wholeHeaderBytes } from './header.ts';
import { encodeCopy, encodeMetadata } from './header-copy.ts';
import { readHeader } from './read-header.ts';

/**
 * Answers what is on the disk then: sequence number up, new salts, no damage. `header` stays as it is.
 * Throws DmError EBUSY when somebody else changed the header since it was read.
 */
export async function writeHeader(disk: ByteDisk, header: Luks2Header): Promise<Luks2Header> {
  const { damage } = await assertCurrent(disk, header);
  return await writeCopies(disk, { ...header, damage }, header.sequenceId + 1n);
}

/** Reads the header again and throws DmError EBUSY if it is not the one that `header` was made from. */
export async function assertCurrent(disk: ByteDisk, header: Luks2Header): Promise<Luks2Header> {
  const onDisk = await readHeader(disk);
  const { sequenceId, headerBytes } = onDisk;
  if (sequenceId === header.sequenceId && headerBytes === header.headerBytes) return onDisk;
  throw new DmError(
    'EBUSY',
    `Cannot write LUKS2 header of ${disk.name}: Detected attempt for concurrent LUKS2 metadata update. Aborting operation: it has sequence number ${sequenceId}, expected ${header.sequenceId}`,
  );
}

/** Writes the first header of a volume, over whatever is there. */
export function writeNewHeader(disk: ByteDisk, header: Luks2Header): Promise<Luks2Header> {
  return writeCopies(disk, header, header.sequenceId + 1n);
}

/** Puts a bad copy right, with what the good one says and its sequence number. Nothing happens without one. */
export async function repairHeader(disk: ByteDisk): Promise<Luks2Header> {
  const header = await readHeader(disk);
  const bad = (['primary', 'secondary'] as const).find((name) => header.damage[name] !== null);
  if (!bad) return header;
  const salts = { ...header.salts, [bad]: randomBytes(SALT_BYTES) };
  await writeCopy(disk, { ...header, salts }, bad);
  return { ...header, salts, damage: { primary: null, secondary: null } };
}

async function writeCopies(
  disk: ByteDisk,
  header: Luks2Header,
  sequenceId: bigint,
): Promise<Luks2Header> {
  const salts = { primary: randomBytes(SALT_BYTES), secondary: randomBytes(SALT_BYTES) };
  const next = { ...header, sequenceId, salts };
  const order: CopyName[] = header.damage.secondary
    ? ['secondary', 'primary']
    : ['primary', 'secondary'];
  for (const name of order) await writeCopy(disk, next, name);
  return { ...next, damage: { primary: null, secondary: null } };
}

async function writeCopy(disk: ByteDisk, header: Luks2Header, name: CopyName): Promise<void> {
  const { headerBytes, sequenceId, uuid, label, subsystem, checksumAlgorithm } = header;
  if (disk.sizeBytes < wholeHeaderBytes(header)) {
    throw new DmError(
      'ENOSPC',
      `Cannot write LUKS2 header of ${disk.name}: Device is too small: header and key slots need ${wholeHeaderBytes(header)} bytes, it has ${disk.sizeBytes}`,
    );
  }
  const area = encodeMetadata(header.metadata, headerBytes - BINARY_HEADER_BYTES);
  const offsetBytes = copyOffsetBytes(name, headerBytes);
  const binary = {
    headerBytes,
    sequenceId,
    uuid,
    label,
    subsystem,
    checksumAlgorithm,
    salt: header.salts[name],
    offsetBytes,
    checksum: new Uint8Array(CHECKSUM_BYTES),
  };
  await disk.write(offsetBytes, await encodeCopy(binary, area, name));
  await disk.flush();
}
