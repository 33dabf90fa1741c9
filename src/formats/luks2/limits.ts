/** Limits of the format that several parts need. Source: LUKS2 On-Disk Format Specification 1.1 and what cryptsetup 2.6.1 accepts. */

export const KEYSLOTS_MAX = 32;
export const TOKENS_MAX = 32;
export const SEGMENTS_MAX = 32;
export const DIGESTS_MAX = 8;

/** Areas of key slots begin and end on blocks of 4 KiB where we or cryptsetup place them. */
export const AREA_ALIGNMENT_BYTES = 4096;
export const KEYSLOTS_AREA_MAX_BYTES = 128 * 1024 * 1024;

export const AF_STRIPES = 4000;
/** Of a key slot's or a digest's salt. */
export const KDF_SALT_BYTES = 32;
export const DIGEST_MIN_BYTES = 20;
export const DIGEST_MAX_BYTES = 64;

/** The largest that cryptsetup lets anybody choose; more is an attack on the reader's memory. */
export const ARGON2_MEMORY_MAX_KIB = 4 * 1024 * 1024;
export const ARGON2_MEMORY_MIN_KIB = 8;
export const ARGON2_CPUS_MAX = 255;

/** What a key slot can hold at all; volume keys have 64 bytes at most. */
export const KEY_MAX_BYTES = 4096;

/** The bytes that the anti-forensic splitter makes of a key, in whole sectors. */
export function splitKeyBytes(keyBytes: number): number {
  return Math.ceil((keyBytes * AF_STRIPES) / 512) * 512;
}
