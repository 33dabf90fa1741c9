/** Block ciphers of Node's OpenSSL on pinned memory, in place: no copy, no allocation per call. */
import { PinnedBuffer } from './pinned-buffer.ts';
import type { EvpContext, RawCipherCalls } from './raw-cipher-calls.ts';

export interface CipherCallOptions {
  /** OpenSSL's, without padding from then on: `AES-256-ECB`. */
  cipherName: string;
  /** Of OpenSSL's legacy provider: blowfish, cast5. */
  legacy: boolean;
  key: Uint8Array;
  encrypting: boolean;
  /** All that the cipher will work on. */
  buffer: PinnedBuffer;
}

export interface CipherCalls {
  /** Null when this OpenSSL lacks the cipher. The key is copied and the copy wiped. */
  open(options: CipherCallOptions): EvpContext | null;
  /** Whole blocks of the buffer, in place; false when OpenSSL refuses. */
  update(context: EvpContext, offsetBytes: number, lengthBytes: number): boolean;
  /**
   * Copies between memory that does not overlap. V8 itself copies shared memory byte by byte unless both sides are aligned alike, at a
   * tenth of the speed.
   */
  copy(
    target: PinnedBuffer,
    targetOffset: number,
    source: PinnedBuffer,
    sourceOffset: number,
    lengthBytes: number,
  ): void;
  /** Overwrites the key schedule; may be called again. */
  close(context: EvpContext): void;
}

const MAX_KEY_BYTES = 64;

export function createCipherCalls(raw: RawCipherCalls): CipherCalls {
  const pinnedKey = PinnedBuffer.allocate(MAX_KEY_BYTES);

  return {
    open({ key, ...options }) {
      pinnedKey.bytes.set(key);
      try {
        return raw.createContext({ ...options, key: pinnedKey, keyBytes: key.byteLength });
      } finally {
        pinnedKey.bytes.fill(0);
      }
    },
    update: (context, offsetBytes, lengthBytes) => raw.update(context, offsetBytes, lengthBytes),
    copy: (target, targetOffset, source, sourceOffset, lengthBytes) =>
      raw.copy(target, targetOffset, source, sourceOffset, lengthBytes),
    close: (context) => raw.freeContext(context),
  };
}
