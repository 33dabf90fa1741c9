/** A chunk on its way to the COW device, and the bios that wait for it. */

import type { Bio } from '../../core/bio.ts';
import { PendingException } from './store.ts';

export class PendingCopy extends PendingException {
  /** Writes to the snapshot: they go to the COW device once the exception is kept. */
  snapshotBios: Bio[] = [];
  /** Writes to the origin: they are looked at anew when no reader can miss the exception any more. */
  originBios: Bio[] = [];
  /** The write of a whole chunk, which needs no copy; it ends when the exception is kept. */
  wholeBio: Bio | null = null;
  wholeBioOnEnd: ((bio: Bio) => void) | null = null;
  readonly #onCommitted: (pending: PendingCopy, errno: number) => void;

  constructor(oldChunk: number, onCommitted: (pending: PendingCopy, errno: number) => void) {
    super(oldChunk);
    this.#onCommitted = onCommitted;
  }

  override committed(errno: number): void {
    this.#onCommitted(this, errno);
  }
}
