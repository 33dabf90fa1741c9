/** How the words of a table become devices. */

import type { BlockDevice, DeviceNumber } from './device.ts';

/** Opens what tables name; see `DeviceStore` in the devices layer and `Mapper` for mapped devices. */
export interface DeviceOpener {
  /** Does what cannot be done synchronously (connecting to a server), so that `open` can be. */
  prepare(operand: string): Promise<void>;
  /** Throws DmError. Every opened device is released once. */
  open(operand: string, mode: OpenMode): OpenedDevice;
  /** What says, without opening it, that a path leads to a mapped device: by number or by name. */
  findMapped?(operand: string, directory: string | undefined): MappedReference | undefined;
}

export interface OpenMode {
  readOnly: boolean;
  /** Relative paths are relative to it; '' refuses them. Default: the process's own. */
  directory?: string | undefined;
}

/** `minor`: of the mapper's own major number. */
export type MappedReference = { number: DeviceNumber } | { minor: number } | { name: string };

export interface OpenedDevice {
  device: BlockDevice;
  release(): void;
}

export interface OpenerOptions extends OpenMode {
  opener: DeviceOpener;
}

/** The devices of one table, opened once each however many rows name them. */
export class OpenedDevices {
  readonly operands = new Map<string, BlockDevice>();
  readonly devices: BlockDevice[] = [];
  readonly #opened: OpenedDevice[] = [];
  /** Words that nobody wants to write by. */
  readonly #readOnlyWords = new Set<string>();
  readonly #options: OpenerOptions;

  constructor(options: OpenerOptions) {
    this.#options = options;
  }

  /** One function for all rows. `readOnly`: whatever the table's mode. */
  readonly open = (operand: string, { readOnly = false } = {}): BlockDevice => {
    const known = this.operands.get(operand);
    if (known && (readOnly || !this.#readOnlyWords.has(operand))) return known;
    const { opener, directory } = this.#options;
    const mode = { readOnly: readOnly || this.#options.readOnly, directory };
    const opened = opener.open(operand, mode);
    if (readOnly) this.#readOnlyWords.add(operand);
    else this.#readOnlyWords.delete(operand);
    this.#opened.push(opened);
    this.operands.set(operand, opened.device);
    if (!this.devices.includes(opened.device)) this.devices.push(opened.device);
    return opened.device;
  };

  release(): void {
    for (const { release } of this.#opened.splice(0)) release();
  }
}
