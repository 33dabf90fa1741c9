/**
 * What is on an image now, to tell what would be lost: file systems, partition tables, members of something larger. A small table of
 * magic numbers, with blkid's names; sources are each format's own documentation.
 */

export interface Signature {
  /** blkid's: `ext4`, `crypto_LUKS`, `dos`. */
  name: string;
  kind: 'superblock' | 'partition';
}

interface Magic {
  name: string;
  offsetBytes: number;
  /** Latin-1. */
  bytes: string;
  kind?: Signature['kind'];
}

const MAGICS: readonly Magic[] = [
  { name: 'crypto_LUKS', offsetBytes: 0, bytes: 'LUKS\xba\xbe' },
  { name: 'BitLocker', offsetBytes: 3, bytes: '-FVE-FS-' },
  { name: 'xfs', offsetBytes: 0, bytes: 'XFSB' },
  { name: 'btrfs', offsetBytes: 0x10040, bytes: '_BHRfS_M' },
  { name: 'f2fs', offsetBytes: 1024, bytes: '\x10\x20\xf5\xf2' },
  { name: 'ntfs', offsetBytes: 3, bytes: 'NTFS    ' },
  { name: 'exfat', offsetBytes: 3, bytes: 'EXFAT   ' },
  { name: 'vfat', offsetBytes: 82, bytes: 'FAT32   ' },
  { name: 'vfat', offsetBytes: 54, bytes: 'FAT1' },
  { name: 'iso9660', offsetBytes: 0x8001, bytes: 'CD001' },
  { name: 'squashfs', offsetBytes: 0, bytes: 'hsqs' },
  { name: 'erofs', offsetBytes: 1024, bytes: '\xe2\xe1\xf5\xe0' },
  { name: 'swap', offsetBytes: 4086, bytes: 'SWAPSPACE2' },
  { name: 'LVM2_member', offsetBytes: 512, bytes: 'LABELONE' },
  { name: 'LVM2_member', offsetBytes: 0, bytes: 'LABELONE' },
  { name: 'linux_raid_member', offsetBytes: 4096, bytes: '\xfc\x4e\x2b\xa9' },
  { name: 'linux_raid_member', offsetBytes: 0, bytes: '\xfc\x4e\x2b\xa9' },
  { name: 'DM_verity_hash', offsetBytes: 0, bytes: 'verity\0\0' },
  { name: 'DM_integrity', offsetBytes: 0, bytes: 'integrt\0' },
  { name: 'DM_snapshot_cow', offsetBytes: 0, bytes: 'SnAp' },
  { name: 'qcow2', offsetBytes: 0, bytes: 'QFI\xfb' },
  { name: 'vmdk', offsetBytes: 0, bytes: 'KDMV' },
  { name: 'gpt', offsetBytes: 512, bytes: 'EFI PART', kind: 'partition' },
];

/** The farthest byte that a magic number has, rounded up. */
export const PROBED_BYTES = 72 * 1024;
const EXT_OFFSET = 1024;

/** All that were found, the most telling first; empty: nothing that is known. `start` are the first `PROBED_BYTES`, or fewer. */
export function findSignatures(start: Uint8Array): Signature[] {
  const text = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const has = ({ offsetBytes, bytes }: Magic) =>
    text.subarray(offsetBytes, offsetBytes + bytes.length).equals(Buffer.from(bytes, 'latin1'));
  const found = MAGICS.filter(has).map(({ name, kind = 'superblock' }) => ({ name, kind }));
  const ext = extName(text);
  if (ext !== null) found.unshift({ name: ext, kind: 'superblock' });
  if (hasPartitionTable(text)) found.push({ name: 'dos', kind: 'partition' });
  const names = new Set<string>();
  return found.filter(({ name }) => !names.has(name) && names.add(name));
}

const COMPATIBLE_JOURNAL = 0x4;
/** Extents, 64bit, flex_bg: what ext3 does not have. */
const INCOMPATIBLE_EXT4 = 0x2c0;

function extName(text: Buffer): string | null {
  if (text.length < EXT_OFFSET + 1024 || text.readUInt16LE(EXT_OFFSET + 0x38) !== 0xef53)
    return null;
  const compatible = text.readUInt32LE(EXT_OFFSET + 0x5c);
  const incompatible = text.readUInt32LE(EXT_OFFSET + 0x60);
  if ((incompatible & INCOMPATIBLE_EXT4) !== 0) return 'ext4';
  return (compatible & COMPATIBLE_JOURNAL) === 0 ? 'ext2' : 'ext3';
}

const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;

/** The magic alone stands in every boot sector; a table has an entry with a type and a length. */
function hasPartitionTable(text: Buffer): boolean {
  if (text.length < 512 || text.readUInt16LE(510) !== 0xaa55) return false;
  const entries = [0, 1, 2, 3].map((index) => TABLE_OFFSET + index * ENTRY_BYTES);
  const areFlagsRight = entries.every((at) => (text[at]! & 0x7f) === 0);
  const hasEntry = entries.some((at) => text[at + 4] !== 0 && text.readUInt32LE(at + 12) > 0);
  return areFlagsRight && hasEntry;
}

/** `already contains a 'ext4' superblock signature`, in cryptsetup's words. */
export function describeSignature(disk: string, { name, kind }: Signature): string {
  return `Device ${disk} already contains a '${name}' ${kind} signature.`;
}
