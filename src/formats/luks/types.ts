/** What LUKS1 and LUKS2 have in common, for those who open, edit and map a volume without caring which it is. */

import type { Secret } from '../../crypto/secret.ts';

export type PbkdfName = 'pbkdf2' | 'argon2i' | 'argon2id';

/** How a passphrase becomes a key; as stored. */
export interface Pbkdf {
  name: PbkdfName;
  /** pbkdf2's only; `sha256` ... */
  hash: string;
  iterations: number;
  /** argon2's only. */
  memoryKiB: number;
  parallel: number;
}

/** What a user asks for; what is absent is cryptsetup's default. `forceIterations` excludes `iterTimeMs`. */
export interface PbkdfRequest {
  name?: PbkdfName;
  hash?: string;
  iterTimeMs?: number;
  forceIterations?: number;
  memoryKiB?: number;
  parallel?: number;
}

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
  /** Of a volume in re-encryption: both keys are looked for. */
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
