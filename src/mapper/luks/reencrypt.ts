/**
 * Re-encryption of an image: how each kind begins with files and passphrases, and how it goes on. What happens to the data, and how that survives being
 * killed, is in src/formats/luks2/reencrypt.
 */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import type { Secret } from '../../crypto/secret.ts';
import { type FileDisk, openFileDisk } from '../../devices/byte-disk.ts';
import type { Luks2Header } from '../../formats/luks2/header.ts';
import type { Luks2Metadata } from '../../formats/luks2/metadata.ts';
import { readHeader } from '../../formats/luks2/read-header.ts';
import { runReencrypt } from '../../formats/luks2/reencrypt/run.ts';
import { reencryptDigests } from '../../formats/luks2/reencrypt/state.ts';
import { reencryptStatus } from '../../formats/luks2/reencrypt/status.ts';
import type {
  ReencryptDisks,
  ReencryptKeys,
  RunOptions,
  RunResult,
} from '../../formats/luks2/reencrypt/types.ts';
import { unlock } from '../../formats/luks2/unlock.ts';

/** Wiped when it is disposed. */
export class KeyPair implements ReencryptKeys, Disposable {
  readonly old: Secret | null;
  readonly new: Secret | null;

  constructor(keys: ReencryptKeys) {
    this.old = keys.old;
    this.new = keys.new;
  }

  [Symbol.dispose](): void {
    this.old?.wipe();
    this.new?.wipe();
  }
}

/** Both keys of a volume in re-encryption. Throws DmError EPERM when the passphrase does not open both. */
export async function unlockBoth(
  disk: ByteDisk,
  metadata: Luks2Metadata,
  passphrase: Secret,
): Promise<KeyPair> {
  const digests = reencryptDigests(metadata);
  const keyOf = async (digest: number | null) => {
    if (digest === null) return null;
    return (await unlock(disk, metadata, passphrase, { digest })).volumeKey;
  };
  const old = await keyOf(digests.old);
  try {
    return new KeyPair({ old, new: await keyOf(digests.new) });
  } catch (error) {
    old?.wipe();
    throw error;
  }
}

export interface ReencryptImageOptions {
  /** Path of a detached header. */
  header?: string;
}

/** An image whose data and header are for this process alone. */
export class ReencryptImage implements AsyncDisposable {
  readonly disks: ReencryptDisks;
  readonly #files: readonly FileDisk[];

  private constructor(header: FileDisk, data: FileDisk) {
    this.disks = { header, data };
    this.#files = header === data ? [data] : [data, header];
  }

  /** Throws DmError EBUSY while anybody uses it. */
  static async open(path: string, { header }: ReencryptImageOptions = {}): Promise<ReencryptImage> {
    const exclusive = { readOnly: false, lock: 'image' } as const;
    const data = await openFileDisk(path, exclusive);
    if (header === undefined) return new ReencryptImage(data, data);
    try {
      return new ReencryptImage(await openFileDisk(header, exclusive), data);
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  readHeader(): Promise<Luks2Header> {
    return readHeader(this.disks.header);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) await file.close();
  }
}

/** To the end, or to where `signal` stops it. */
export async function goOn(
  { disks }: ReencryptImage,
  header: Luks2Header,
  keys: ReencryptKeys,
  options: RunOptions,
): Promise<RunResult> {
  const { result } = await runReencrypt({ disks, header, keys }, options);
  return result;
}

export function demandReencryption({ metadata }: Luks2Header): void {
  if (reencryptStatus(metadata) !== 'none') return;
  throw new DmError('EINVAL', 'Device reencryption not in progress.');
}
