/** What LUKS1 and LUKS2 have in common, for those who open, edit and map a volume without caring which it is. */

import type { Pbkdf, PbkdfRequest } from '../../crypto/kdf/pbkdf.ts';
import type { Secret } from '../../crypto/secret.ts';

export type { Pbkdf, PbkdfName, PbkdfRequest } from '../../crypto/kdf/pbkdf.ts';

export type SlotPriority = 'ignore' | 'normal' | 'prefer';

export interface SlotInfo {
  slot: number;
  /** `luks2`, `luks1`, `reencrypt` */
  type: string;
  keyBytes: number;
  pbkdf: Pbkdf | null;
  priority: SlotPriority;
  /** Its key is not the volume's. */
  unbound: boolean;
}

export interface Unlocked {
  /** null: unlocked with the volume key itself. */
  slot: number | null;
  /** The caller wipes it. */
  volumeKey: Secret;
}

export interface UnlockOptions {
  /** Only this slot; default: all, preferred ones first, then by number. Slots of priority `ignore` only when named. */
  slot?: number;
  /** Only slots for the key of this digest: a volume in re-encryption has two. LUKS1 has no other than 0. */
  digest?: number;
  signal?: AbortSignal;
}

/** A row of the mapping, in 512-byte sectors. */
export interface MappedSegment {
  /** On the mapped device. */
  startSectors: number;
  lengthSectors: number;
  /** On the data device. */
  offsetSectors: number;
  /** dm-crypt's cipher word; null: plain text (linear). */
  cipher: string | null;
  sectorBytes: number;
  ivOffset: bigint;
  /** Which of the volume's keys: the digest's number in LUKS2, always 0 in LUKS1. */
  digest: number;
}

export interface AddKeyRequest {
  passphrase: Secret;
  /** Default: the first free one. */
  slot?: number;
  pbkdf?: PbkdfRequest;
  /** Of the slot's own area: `aes-xts-plain64`, 64; LUKS2 only. */
  areaCipher?: string;
  areaKeyBytes?: number;
  priority?: SlotPriority;
}

/**
 * A volume whose header was read and found right. Methods that change it write the header in an order that a crash at any point leaves openable.
 * Throws DmError: EPERM "No key available with this passphrase.", EINVAL, ENOSPC (no free slot), EBUSY; FormatError for headers.
 */
export interface LuksVolume {
  readonly version: 1 | 2;
  readonly uuid: string;
  /** LUKS2 only; '' else. */
  readonly label: string;
  readonly subsystem: string;
  /** `aes-xts-plain64` */
  readonly cipher: string;
  readonly sectorBytes: number;
  readonly keyBytes: number;
  /** Where data begins on the data device; 0 for a detached header unless it says otherwise. */
  readonly dataOffsetBytes: number;
  /** `allow-discards` ...; LUKS2 only. */
  readonly flags: readonly string[];
  /** What opening and changing need; unknown ones refuse. */
  readonly requirements: readonly string[];
  slots(): SlotInfo[];
  /** Tries the passphrase on the slots. */
  unlock(passphrase: Secret, options?: UnlockOptions): Promise<Unlocked>;
  /** Checks a volume key against the digest. */
  unlockWithVolumeKey(key: Secret): Promise<Unlocked>;
  /** The rows for a data device of that size; `keys` needs nothing of them here. Throws when the device is too small. */
  segments(dataSizeBytes: number): MappedSegment[];
  /** Answers the slot. */
  addKey(volumeKey: Secret, request: AddKeyRequest): Promise<number>;
  /** New passphrase for a slot, in an order that never leaves neither; answers the slot that has it now. */
  changeKey(volumeKey: Secret, oldSlot: number, request: AddKeyRequest): Promise<number>;
  killSlot(slot: number): Promise<void>;
  /** All key slots: nobody can open it any more. */
  erase(): Promise<void>;
  setUuid(uuid: string): Promise<void>;
  /** cryptsetup's luksDump, byte for byte. */
  dumpText(): string;
  /** The same facts as plain data, no key material but digests. */
  dumpJson(): unknown;
}

/** Of a new volume; what is absent is cryptsetup's default. */
export interface FormatRequest {
  cipher?: string;
  keyBytes?: number;
  /** Of LUKS1, of LUKS2's digests and AF splitter, and of pbkdf2 unless `pbkdf` says otherwise. */
  hash?: string;
  uuid?: string;
  /** Default: random. The caller wipes it. */
  volumeKey?: Secret;
  /** Where data begin, on the data device; default: behind the header, aligned to 1 MiB. */
  dataOffsetBytes?: number;
  /** Data begin at a multiple of this; not together with `dataOffsetBytes`. */
  alignBytes?: number;
  /** The header is on a device of its own: data begin at 0 unless `dataOffsetBytes` says otherwise. */
  detached?: boolean;
  /** Of the data device; default: that of the header's. Decides, with `detached`, about the default sector size. */
  dataSizeBytes?: number;
  /** The first key slot; its slot is 0 by default. */
  key: AddKeyRequest;
  /** The rest is LUKS2's only. */
  sectorBytes?: number;
  /** What `sectorBytes` is by default where everything is a multiple of it, else 512. Default: 4096, as for files. */
  bestSectorBytes?: number;
  label?: string;
  subsystem?: string;
  metadataBytes?: number;
  keyslotsBytes?: number;
}

/** What only LUKS2 can. */
export interface Luks2Extras {
  /** `undefined` leaves one as it is, '' takes it away. */
  setLabels(labels: { label?: string; subsystem?: string }): Promise<void>;
  setPriority(slot: number, priority: SlotPriority): Promise<void>;
  /** The persistent activation flags, all of them: `allow-discards` ... */
  setFlags(flags: readonly string[]): Promise<void>;
  /** A slot for another key than the volume's. Answers the slot. */
  addUnboundKey(key: Secret, request: AddKeyRequest): Promise<number>;
  /** JSON of a token as stored. Throws DmError EINVAL "Token N is not in use." */
  tokenText(token: number): string;
  /** Answers its number. `token` absent: the first free one; `replace`: one that is there may be overwritten. */
  importToken(text: string, options: { token?: number; replace?: boolean }): Promise<number>;
  removeToken(token: number): Promise<void>;
  /** `luksDump --dump-json-metadata`, byte for byte. */
  metadataText(): string;
}

export type Luks2Volume = LuksVolume & Luks2Extras & { readonly version: 2 };
