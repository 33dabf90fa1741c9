/** Which version of LUKS a disk has, and opening it whichever it is. */

import { DmError, FormatError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { formatLuks1 } from '../luks1/format.ts';
import { LUKS_MAGIC } from '../luks1/header.ts';
import { readFront } from '../luks1/reencrypt/mark.ts';
import { openLuks1 } from '../luks1/volume.ts';
import { formatLuks2 } from '../luks2/format.ts';
import { looksLikeLuks2 } from '../luks2/read-header.ts';
import { openLuks2 } from '../luks2/volume.ts';
import type { FormatRequest, LuksVolume } from './types.ts';

export type LuksProbe =
  | { readonly kind: 'luks'; readonly version: 1 | 2 }
  /** There is none, or one of a version that nobody knows: `reason` says which. */
  | { readonly kind: 'none'; readonly reason: string }
  /** It says that it is one, and is not right. */
  | { readonly kind: 'damaged'; readonly version: 1 | 2; readonly problem: DmError | FormatError };

/** The words that commands look for. */
export const IN_REENCRYPTION =
  'It is LUKS1 in re-encryption: finish that first, with the program that began it.';

const VERSION_END_BYTES = LUKS_MAGIC.byteLength + 2;

type Start = { kind: 1 | 2 | 'none' | 'marked' } | { kind: 'unknown'; version: number };

/** What the first bytes say; LUKS2 also answers for its second copy. */
async function readStart(disk: ByteDisk): Promise<Start> {
  if (disk.sizeBytes < VERSION_END_BYTES) return { kind: 'none' };
  const start = await disk.read(0, VERSION_END_BYTES);
  const isMagic = LUKS_MAGIC.every((byte, index) => start[index] === byte);
  const version = start[LUKS_MAGIC.byteLength]! * 256 + start[LUKS_MAGIC.byteLength + 1]!;
  if (isMagic && version === 1) return { kind: 1 };
  if (await looksLikeLuks2(disk)) return { kind: 2 };
  if (isMagic) return { kind: 'unknown', version };
  return { kind: (await readFront(disk)).kind === 'marked' ? 'marked' : 'none' };
}

/** Reads, never writes; throws only what reading throws. */
export async function probeLuks(disk: ByteDisk): Promise<LuksProbe> {
  const start = await readStart(disk);
  if (start.kind === 'none') return { kind: 'none', reason: 'there is no LUKS header' };
  if (start.kind === 'marked') return { kind: 'none', reason: IN_REENCRYPTION };
  if (start.kind === 'unknown') {
    return { kind: 'none', reason: `Unsupported LUKS version ${start.version}.` };
  }
  try {
    await openVersion(disk, start.kind);
    return { kind: 'luks', version: start.kind };
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof DmError)) throw error;
    return { kind: 'damaged', version: start.kind, problem: error };
  }
}

export interface OpenLuksOptions {
  /** Where the header is, if not in front of the data. */
  header?: ByteDisk;
}

/** Writes nothing. Throws DmError ENODATA where there is no header, FormatError for one that is not right. */
export async function openLuks(
  disk: ByteDisk,
  { header = disk }: OpenLuksOptions = {},
): Promise<LuksVolume> {
  const start = await readStart(header);
  if (start.kind === 1 || start.kind === 2) return openVersion(header, start.kind);
  const words = `Device ${header.name} is not a valid LUKS device.`;
  if (start.kind === 'marked') throw new DmError('ENODATA', `${words} ${IN_REENCRYPTION}`);
  const isUnknown = start.kind === 'unknown';
  throw new DmError('ENODATA', isUnknown ? `Unsupported LUKS version ${start.version}.` : words);
}

function openVersion(disk: ByteDisk, version: 1 | 2): Promise<LuksVolume> {
  return version === 1 ? openLuks1(disk) : openLuks2(disk);
}

/** Everything that was there is lost. */
export function formatLuks(
  disk: ByteDisk,
  version: 1 | 2,
  request: FormatRequest,
): Promise<LuksVolume> {
  return version === 1 ? formatLuks1(disk, request) : formatLuks2(disk, request);
}
