/** The block device over an NBD export. What it promises when servers go away: docs/devices/nbd.md. */

import { DmError, Errno } from '../../base/errors.ts';
import { bytesToSectors } from '../../base/units.ts';
import { quoteArgument } from '../../core/arguments.ts';
import type { Bio } from '../../core/bio.ts';
import type { DeviceNumber } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import { TransmissionFlag } from '../../protocols/nbd/constants.ts';
import type { LeafDevice } from '../device-kind.ts';
import { refusalOf } from '../leaf-bio.ts';
import { type ExportInfo, has } from './export-info.ts';
import { Job } from './job.ts';
import { RemoteExport, type RemoteExportOptions } from './remote-export.ts';
import { formatNbdUri } from './uri.ts';

export class NbdDevice implements LeafDevice {
  readonly number: DeviceNumber;
  readonly operand: string;
  readonly sizeSectors: number;
  readonly limits: Limits;
  readonly #remote: RemoteExport;
  #readOnly: boolean;
  #closed: Promise<void> | null = null;

  /** Throws EROFS when the export is read-only and is wanted otherwise. */
  constructor(remote: RemoteExport, options: { number: DeviceNumber; readOnly: boolean }) {
    this.#remote = remote;
    this.number = options.number;
    this.operand = quoteArgument(formatNbdUri(remote.uri));
    this.#readOnly = options.readOnly;
    if (!options.readOnly) this.upgrade();
    const { sizeBytes, minimumBytes } = remote.info;
    // Bytes behind the last whole block cannot be reached, as with loop devices.
    this.sizeSectors = bytesToSectors(sizeBytes - (sizeBytes % minimumBytes));
    this.limits = limitsOf(remote.info);
  }

  /** Connects to what `options.uri` names. Rejects with DmError. */
  static async connect(
    options: RemoteExportOptions & { number: DeviceNumber; readOnly: boolean },
  ): Promise<NbdDevice> {
    const remote = await RemoteExport.connect(options);
    try {
      return new NbdDevice(remote, options);
    } catch (error) {
      await remote.close();
      throw error;
    }
  }

  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** The connections behind it, for status and tests. */
  get remote(): RemoteExport {
    return this.#remote;
  }

  upgrade(): void {
    if (has(this.#remote.info, TransmissionFlag.readOnly)) {
      throw new DmError('EROFS', `Cannot write to ${this.operand}: the export is read-only`);
    }
    this.#readOnly = false;
  }

  submit(bio: Bio): void {
    const refusal = this.#closed ? Errno.EIO : refusalOf(this, bio);
    if (refusal !== 0) bio.end(refusal);
    else Job.start(this.#remote, bio);
  }

  close(): Promise<void> {
    this.#closed ??= this.#remote.close();
    return this.#closed;
  }
}

function limitsOf(info: ExportInfo): Limits {
  const { minimumBytes, preferredBytes } = info;
  return {
    logicalBlockBytes: minimumBytes,
    physicalBlockBytes: minimumBytes,
    ioMinBytes: preferredBytes,
    ioOptBytes: 0,
    // Larger bios are cut here, to what the server takes.
    maxIoSectors: Number.POSITIVE_INFINITY,
    discardGranularityBytes: has(info, TransmissionFlag.sendTrim) ? minimumBytes : 0,
  };
}
