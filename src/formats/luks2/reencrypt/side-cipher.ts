/** One side of a re-encryption as something that turns its bytes on the disk into plain text and back. */

import { parseCipherSpec } from '../../../crypto/cipher-spec.ts';
import { createSectorCipher } from '../../../crypto/create-sector-cipher.ts';
import type { Secret } from '../../../crypto/secret.ts';
import { malformed, SECTOR_BYTES, type Side } from './state.ts';

export interface SideCipher extends Disposable {
  /** Both in place; `logicalBytes`: where in the volume the first byte belongs. */
  decrypt(bytes: Uint8Array, logicalBytes: number): void;
  encrypt(bytes: Uint8Array, logicalBytes: number): void;
}

/** For tests, which have a quicker one. */
export type OpenSide = (side: Side, key: Secret | null) => SideCipher;

const plainSide: SideCipher = {
  decrypt: () => undefined,
  encrypt: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/** The caller disposes it, which wipes its key schedules. */
export function openSide(side: Side, key: Secret | null): SideCipher {
  if (side.cipher === null || side.cipher.startsWith('cipher_null')) return plainSide;
  if (key === null) throw malformed('digests', 'a volume key', 'none');
  const cipher = createSectorCipher({
    spec: parseCipherSpec(side.cipher),
    key: key.bytes,
    sectorBytes: side.sectorBytes,
    ivLargeSectors: false,
    ivOffset: BigInt(side.ivTweak),
  });
  return {
    decrypt(bytes, logicalBytes) {
      cipher.decrypt(bytes, 0, bytes, 0, bytes.byteLength, logicalBytes / SECTOR_BYTES);
    },
    encrypt(bytes, logicalBytes) {
      cipher.encrypt(bytes, 0, bytes, 0, bytes.byteLength, logicalBytes / SECTOR_BYTES);
    },
    [Symbol.dispose]: () => cipher.close(),
  };
}
