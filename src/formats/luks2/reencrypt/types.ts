/**
 * What re-encryption of a LUKS2 volume takes and gives: the words of its commands, the keys, the progress.
 * How it works: docs/formats/luks2-reencryption.md
 */

import type { ByteDisk } from '../../../core/byte-disk.ts';
import type { Secret } from '../../../crypto/secret.ts';

export type ReencryptMode = 'encrypt' | 'decrypt' | 'reencrypt';
export type ReencryptDirection = 'forward' | 'backward';

/** How a hot zone survives a crash; as stored. The two last are for decryption of a volume whose header stood in front. */
export type Resilience =
  | 'checksum'
  | 'journal'
  | 'none'
  | 'datashift'
  | 'datashift-checksum'
  | 'datashift-journal';

/** Where the header and where the data lie: the same object when the header stands in front of the data. */
export interface ReencryptDisks {
  header: ByteDisk;
  data: ByteDisk;
}

/** The volume keys; null for the side that is plain text. Whoever made them wipes them. */
export interface ReencryptKeys {
  old: Secret | null;
  new: Secret | null;
}

/** `--resilience`, `--resilience-hash`, `--hotzone-size`, `--device-size`. */
export interface ReencryptTuning {
  /** Default: `checksum`, where the kind of re-encryption leaves a choice. */
  resilience?: 'checksum' | 'journal' | 'none';
  /** Default: sha256. */
  hash?: string;
  /** The most that is under way at once; default: what the area in the header and 64 MiB allow. */
  hotzoneBytes?: number;
  /** Only so much of the data; default: all. */
  deviceBytes?: number;
}

/** `reencrypt --encrypt`: the header was formatted already, as a new one, on a disk or file of its own. */
export interface BeginEncrypt extends ReencryptTuning {
  volumeKey: Secret;
  /**
   * `--reduce-device-size`, and the header shall stand in front of the data in the end: its data offset is half of this. The last `reduceBytes` of the data disk are
   * lost. Absent: the header stays detached, nothing is shifted.
   */
  reduceBytes?: number;
}

/** `reencrypt --decrypt` of a volume with a detached header. */
export interface BeginDecrypt extends ReencryptTuning {
  volumeKey: Secret;
}

/** `reencrypt --decrypt --header FILE` of a volume whose header stands in front, and was exported to FILE. */
export interface BeginDecryptShifted extends ReencryptTuning {
  volumeKey: Secret;
}

/** Plain `reencrypt`: the header got new key slots, with a new digest that no segment has yet (or the same for `--keep-key`). */
export interface BeginChange extends ReencryptTuning {
  oldKey: Secret;
  newKey: Secret;
  /** The digest of the new key slots. */
  newDigest: number;
  /** Default: as it is. */
  cipher?: string;
  /** Default: as it is. */
  sectorBytes?: number;
  /** `--reduce-device-size`: the data move up by this much, which makes room for a larger header. */
  shiftBytes?: number;
}

export interface ReencryptProgress {
  doneBytes: number;
  totalBytes: number;
}

export interface RunOptions extends ReencryptTuning {
  onProgress?: (progress: ReencryptProgress) => void;
  /** Stops behind the current hot zone; the volume stays in re-encryption and can be opened and resumed. */
  signal?: AbortSignal;
}

export type RunResult = 'finished' | 'interrupted';

/**
 * For `dump` and for those who open a volume: `crashed` needs recovery of a hot zone before anything reads it; `finishing` may be opened like `none`, and is
 * resumed to overwrite what is left of the plain text.
 */
export type ReencryptStatus = 'none' | 'clean' | 'crashed' | 'finishing';
