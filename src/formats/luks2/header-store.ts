/** A header and the disk it is on: every change goes through here, one at a time, and is written before it is seen. */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { Mutex } from '../../core/mutex.ts';
import { dropUnusedDigests } from './digests.ts';
import type { Luks2Header } from './header.ts';
import { copyMetadata, type Luks2Metadata } from './metadata.ts';
import { demandRequirements } from './requirements.ts';
import { writeHeader } from './write-header.ts';

/** What of the binary header an edit may change. */
export type HeaderNames = Partial<Pick<Luks2Header, 'uuid' | 'label' | 'subsystem'>>;

export class HeaderStore {
  readonly disk: ByteDisk;
  #header: Luks2Header;
  readonly #mutex = new Mutex();

  constructor(disk: ByteDisk, header: Luks2Header) {
    this.disk = disk;
    this.#header = header;
  }

  get header(): Luks2Header {
    return this.#header;
  }

  get metadata(): Luks2Metadata {
    return this.#header.metadata;
  }

  /** Runs actions that change the volume one after the other. Throws EROFS on a disk that cannot be written. */
  exclusively<T>(what: string, action: () => Promise<T>): Promise<T> {
    return this.#mutex.run(() => {
      if (this.disk.readOnly) {
        throw new DmError('EROFS', `Cannot ${what} ${this.disk.name}: it is read-only`);
      }
      return action();
    });
  }

  /** Throws unless every requirement of the volume is met; `what` for the message. */
  demand(what: string): void {
    demandRequirements(this.metadata, `${what} ${this.disk.name}`);
  }

  /** A copy of the metadata to be changed; `commit` writes it. */
  draft(): Luks2Metadata {
    return copyMetadata(this.metadata);
  }

  /** Writes changed metadata. What was there before counts until it is on the disk. */
  async commit(metadata: Luks2Metadata, names: HeaderNames = {}): Promise<void> {
    dropUnusedDigests(metadata);
    this.#header = await writeHeader(this.disk, { ...this.#header, ...names, metadata });
  }
}
