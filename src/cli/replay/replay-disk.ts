/** What is replayed onto: an image, a block device, an NBD export. Between checks it is closed, so that the check may open and lock it. */

import { DmError } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import { DeviceMapper } from '../../mapper/device-mapper.ts';
import type { Volume } from '../../mapper/volume.ts';
import { CommandError } from '../failure.ts';

const NAME = 'replay';

export class ReplayDisk implements AsyncDisposable {
  readonly #operand: string;
  #opened: { mapper: DeviceMapper; volume: Volume } | null = null;

  constructor(operand: string) {
    this.#operand = operand;
  }

  async open(neededBytes: number): Promise<void> {
    const mapper = new DeviceMapper();
    try {
      await mapper.join({ name: NAME, devices: [this.#operand] });
      this.#opened = { mapper, volume: mapper.open(NAME) };
    } catch (error) {
      await mapper.close();
      throw this.#failure(error, neededBytes);
    }
  }

  get sizeBytes(): number {
    return this.#volume.sizeBytes;
  }

  async write(offsetBytes: number, data: Uint8Array): Promise<void> {
    await this.#volume.write({ offsetBytes, data });
  }

  /** What was discarded reads as zeros: the log does not know what the disk made of it. */
  async discard(offsetBytes: number, lengthBytes: number): Promise<void> {
    await this.#volume.writeZeroes({ offsetBytes, lengthBytes });
  }

  /** What was replayed is durable then. */
  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    if (opened === null) return;
    try {
      await opened.volume.flush();
    } finally {
      await opened.volume.close();
      await opened.mapper.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #volume(): Volume {
    if (this.#opened === null) throw new DmError('EBADF', `"${this.#operand}" is not open`);
    return this.#opened.volume;
  }

  #failure(error: unknown, neededBytes: number): unknown {
    if (!(error instanceof DmError)) return error;
    const size = `of ${formatBytes(neededBytes)} or more`;
    const details =
      error.code === 'ENOENT'
        ? [`a new image, ${size}: truncate -s ${neededBytes} ${this.#operand}`]
        : [];
    return new CommandError(`Cannot replay onto "${this.#operand}": ${error.message}`, {
      details,
      cause: error,
    });
  }
}
