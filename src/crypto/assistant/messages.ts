/** What a worker tells its assistant. */

import type { SectorCipherOptions } from '../sector-cipher.ts';

export type ToAssistant =
  /** `key` is the assistant's to overwrite. */
  | {
      kind: 'open';
      cipher: number;
      options: Omit<SectorCipherOptions, 'key'>;
      key: SharedArrayBuffer;
    }
  | { kind: 'close'; cipher: number }
  | { kind: 'buffer'; buffer: number; memory: SharedArrayBuffer; offset: number; length: number };
