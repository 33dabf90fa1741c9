/**
 * Re-encryption of a LUKS2 volume: how each kind begins. `runReencrypt` (run.ts) takes it from there, now or later, here or in cryptsetup.
 *
 *   const header = await readHeader(disk);
 *   const begun = await beginReencrypt({ header: disk, data: disk }, header, { oldKey, newKey, newDigest: 1 });
 *   await runReencrypt({ disks, header: begun, keys: { old: oldKey, new: newKey } }, { onProgress });
 *
 * Every `begin...` writes the header once, last of all, and answers what is on the disk then: a crash before leaves the volume as it was, except where
 * said otherwise. docs/formats/luks2-reencryption.md
 */

import { DmError } from '../../../base/errors.ts';
import type { ByteDisk } from '../../../core/byte-disk.ts';
import { hashDigestBytes } from '../../../crypto/hash.ts';
import { type Luks2Header, wholeHeaderBytes } from '../header.ts';
import { copyMetadata } from '../metadata.ts';
import { demandRequirements } from '../requirements.ts';
import { writeHeader } from '../write-header.ts';
import * as begin from './begin.ts';
import { CHUNK_BYTES, readChunks, WriteBehind } from './chunks.ts';
import { readState } from './state.ts';
import type {
  BeginChange,
  BeginDecrypt,
  BeginDecryptShifted,
  BeginEncrypt,
  ReencryptDisks,
  ReencryptKeys,
  ReencryptTuning,
} from './types.ts';
import { vouch } from './vouch.ts';

/**
 * Begins `reencrypt --encrypt`. `header` is a new volume's, on a disk of its own, also when it shall stand in front of the data in the end: then the beginning of the
 * data was copied behind their end when this resolves, and `placeHeader` is next. Until that is done the header's own disk must be kept: it resumes the
 * encryption as a detached header does.
 */
export function beginEncrypt(
  disks: ReencryptDisks,
  header: Luks2Header,
  { volumeKey, ...request }: BeginEncrypt,
): Promise<Luks2Header> {
  return commit(disks, header, { old: null, new: volumeKey }, request, (next, disk) =>
    begin.beginEncrypt(next, disk, request),
  );
}

/** Begins `reencrypt --decrypt` of a volume with a detached header. */
export function beginDecrypt(
  disks: ReencryptDisks,
  header: Luks2Header,
  { volumeKey, ...request }: BeginDecrypt,
): Promise<Luks2Header> {
  return commit(disks, header, { old: volumeKey, new: null }, request, (next, disk) => {
    begin.beginDecrypt(next, disk, request);
    return null;
  });
}

/**
 * Begins `reencrypt --decrypt --header FILE`: `disks.header` is the file that the header in front of the data was copied to, key slots and all. The header on the
 * data disk is destroyed, its place is needed first.
 */
export function beginDecryptShifted(
  disks: ReencryptDisks,
  header: Luks2Header,
  { volumeKey, ...request }: BeginDecryptShifted,
): Promise<Luks2Header> {
  return commit(disks, header, { old: volumeKey, new: null }, request, (next, disk) =>
    begin.beginDecryptShifted(next, disk, request),
  );
}

/** Begins plain `reencrypt`. The header has key slots for the new key already, on the disk too. */
export function beginReencrypt(
  disks: ReencryptDisks,
  header: Luks2Header,
  { oldKey, newKey, ...request }: BeginChange,
): Promise<Luks2Header> {
  return commit(disks, header, { old: oldKey, new: newKey }, request, (next, disk) => {
    begin.beginChange(next, disk, request);
    return null;
  });
}

/**
 * Copies a header with its key slots from a disk of its own to the front of the data disk, the two copies of the header last, so that what looks like a header there
 * has its key slots.
 */
export async function placeHeader(
  from: ByteDisk,
  to: ByteDisk,
  header: Luks2Header,
): Promise<void> {
  const { headerBytes } = header;
  const slots = 2 * headerBytes;
  const writer = new WriteBehind(to);
  for await (const { atBytes, bytes } of readChunks(
    from,
    slots,
    wholeHeaderBytes(header) - slots,
  )) {
    await writer.write(slots + atBytes, bytes);
  }
  await writer.end();
  for (const offsetBytes of [headerBytes, 0]) {
    await to.write(offsetBytes, await from.read(offsetBytes, headerBytes));
    await to.flush();
  }
}

type Edit = (header: Luks2Header, disk: begin.DataDisk) => begin.Move | null;

async function commit(
  disks: ReencryptDisks,
  header: Luks2Header,
  keys: ReencryptKeys,
  tuning: ReencryptTuning,
  edit: Edit,
): Promise<Luks2Header> {
  demandRequirements(header.metadata, 're-encrypt');
  const hash = tuning.hash ?? 'sha256';
  const digestBytes = hashDigestBytes(hash);
  if (digestBytes === null) {
    throw new DmError('ENOTSUP', `Hash algorithm ${hash} is not available.`);
  }
  const { sizeBytes, sectorBytes } = disks.data;
  const metadata = copyMetadata(header.metadata);
  const next = { ...header, metadata };
  const move = edit(next, { sizeBytes, sectorBytes, digestBytes });
  await vouch(metadata, readState(metadata), keys);
  if (move) await copy(disks.data, move);
  return writeHeader(disks.header, next);
}

/** The two ranges do not overlap. */
async function copy(disk: ByteDisk, { fromBytes, toBytes, lengthBytes }: begin.Move) {
  for (let at = 0; at < lengthBytes; at += CHUNK_BYTES) {
    const pieceBytes = Math.min(CHUNK_BYTES, lengthBytes - at);
    await disk.write(toBytes + at, await disk.read(fromBytes + at, pieceBytes));
  }
  await disk.flush();
}
