/** The keys that the rows of a mapping need: one, or two while the volume is in re-encryption. */

import { DmError } from '../../base/errors.ts';
import { Secret } from '../../crypto/secret.ts';
import type { LuksVolume, MappedSegment, Unlocked } from '../../formats/luks/types.ts';

/** Both are the caller's to wipe. */
export interface UnlockedWith extends Unlocked {
  /** null: it was the volume key. */
  passphrase: Secret | null;
}

/** Copies, wiped when it is disposed. */
export class VolumeKeys implements Disposable {
  readonly #keys = new Map<number, Secret>();

  /** Throws DmError EPERM when the passphrase does not open all of them. */
  static async of(
    volume: LuksVolume,
    segments: readonly MappedSegment[],
    unlocked: UnlockedWith,
  ): Promise<VolumeKeys> {
    const keys = new VolumeKeys();
    const encrypted = segments.filter(({ cipher }) => cipher !== null);
    const digests = new Set(encrypted.map(({ digest }) => digest));
    const isInReencryption = volume.requirements.some((name) =>
      name.startsWith('online-reencrypt'),
    );
    try {
      for (const digest of digests) {
        const key = isInReencryption
          ? await keyOfDigest(volume, digest, unlocked)
          : Secret.from(unlocked.volumeKey.bytes);
        keys.#keys.set(digest, key);
      }
      return keys;
    } catch (error) {
      keys[Symbol.dispose]();
      throw error;
    }
  }

  get digests(): readonly number[] {
    return [...this.#keys.keys()];
  }

  get(digest: number): Secret {
    const key = this.#keys.get(digest);
    if (key === undefined) throw new Error(`no segment has digest ${digest}`);
    return key;
  }

  [Symbol.dispose](): void {
    for (const key of this.#keys.values()) key.wipe();
  }
}

async function keyOfDigest(
  volume: LuksVolume,
  digest: number,
  { passphrase }: UnlockedWith,
): Promise<Secret> {
  if (passphrase === null) {
    const words = 'Cannot open a volume in re-encryption with a volume key: it has two';
    throw new DmError('EINVAL', `${words}; expected a passphrase`);
  }
  return (await volume.unlock(passphrase, { digest })).volumeKey;
}
