/**
 * The device mapper: every mapped device by name, uuid and number, and what keeps them consistent — open counts,
 * deferred removal, the dependency tree, refusal of loops. One instance is one "kernel".
 */

import { type Clock, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { type BlockDevice, type DeviceNumber, formatDeviceNumber } from './device.ts';
import { MappedDevice, type MappedDeviceOptions } from './mapped-device.ts';
import { type DeviceOpener, type OpenedDevice, type RowSpec, Table } from './table.ts';
import type { TargetRegistry } from './target.ts';

/** The major number of mapped devices: 252 is free on common kernels, so their nodes never meet a real driver. */
export const MAPPED_MAJOR = 252;
/** DM_NAME_LEN and DM_UUID_LEN count the final NUL. */
const NAME_BYTES = 128;
const UUID_BYTES = 129;
const MINOR_LIMIT = 1 << 20;

export interface MapperOptions {
  registry: TargetRegistry;
  /** Opens everything but mapped devices. */
  opener: DeviceOpener;
  clock?: Clock;
}

/** A table on its way to a device: what it opened so far must not become a loop either. */
interface Loading {
  owner: MappedDevice;
  below: MappedDevice[];
}

export class Mapper {
  readonly registry: TargetRegistry;
  readonly #opener: DeviceOpener;
  readonly #clock: Clock;
  readonly #byName = new Map<string, MappedDevice>();
  readonly #byMinor = new Map<number, MappedDevice>();
  readonly #loadings = new Set<Loading>();

  constructor(options: MapperOptions) {
    this.registry = options.registry;
    this.#opener = options.opener;
    this.#clock = options.clock ?? systemClock;
  }

  /** In the order of creation. */
  list(): MappedDevice[] {
    return [...this.#byName.values()];
  }

  find(name: string): MappedDevice | undefined {
    return this.#byName.get(name);
  }

  findUuid(uuid: string): MappedDevice | undefined {
    return uuid === '' ? undefined : this.list().find((device) => device.uuid === uuid);
  }

  findNumber({ major, minor }: DeviceNumber): MappedDevice | undefined {
    return major === MAPPED_MAJOR ? this.#byMinor.get(minor) : undefined;
  }

  /** Throws ENXIO, as every ioctl does for a name that is not there. */
  get(name: string): MappedDevice {
    const device = this.#byName.get(name);
    if (!device) throw new DmError('ENXIO', `Device ${name} does not exist`);
    return device;
  }

  /** A new device without a table. `minor` asks for that number; the lowest free one otherwise. */
  create(options: {
    name: string;
    uuid?: string;
    minor?: number;
    statistics?: MappedDeviceOptions['statistics'];
  }): MappedDevice {
    const { name, uuid = '' } = options;
    checkName(name);
    checkUuid(uuid);
    if (this.#byName.has(name))
      throw new DmError('EBUSY', `Cannot create ${name}: the name is in use`);
    if (this.findUuid(uuid))
      throw new DmError('EBUSY', `Cannot create ${name}: the uuid "${uuid}" is in use`);
    const number = { major: MAPPED_MAJOR, minor: this.#allocateMinor(options.minor) };
    const device = new MappedDevice({
      name,
      uuid,
      number,
      clock: this.#clock,
      ...(options.statistics && { statistics: options.statistics }),
    });
    this.#byName.set(name, device);
    this.#byMinor.set(number.minor, device);
    return device;
  }

  #allocateMinor(wanted: number | undefined): number {
    if (wanted !== undefined) {
      if (!Number.isInteger(wanted) || wanted < 0 || wanted >= MINOR_LIMIT) {
        throw new DmError(
          'EINVAL',
          `Cannot use minor number ${wanted}: expected 0 to ${MINOR_LIMIT - 1}`,
        );
      }
      if (this.#byMinor.has(wanted)) throw new DmError('EBUSY', `Minor number ${wanted} is in use`);
      return wanted;
    }
    let minor = 0;
    while (this.#byMinor.has(minor)) minor += 1;
    return minor;
  }

  /** Loads a table into the device's inactive slot. On failure nothing has changed. */
  async load(
    device: MappedDevice,
    rows: readonly RowSpec[],
    options: { readOnly?: boolean } = {},
  ): Promise<Table> {
    const loading: Loading = { owner: device, below: [] };
    this.#loadings.add(loading);
    try {
      const table = await Table.load(rows, {
        registry: this.registry,
        opener: this.#openerFor(loading),
        readOnly: options.readOnly ?? false,
        onEvent: () => device.event(),
      });
      await loadOrClose(device, table);
      return table;
    } finally {
      this.#loadings.delete(loading);
    }
  }

  /** Opens mapped devices here and passes everything else on; refuses a device that stands on the table's own. */
  #openerFor({ owner, below }: Loading): DeviceOpener {
    return {
      prepare: (operand) => this.#opener.prepare(operand),
      open: (operand, mode) => {
        const device = this.#resolve(operand);
        if (device === undefined) return this.#opener.open(operand, mode);
        if (this.standsOn(device, owner)) {
          throw new DmError(
            'EINVAL',
            `Cannot use ${device.name} below ${owner.name}: a device cannot stand on itself`,
          );
        }
        below.push(device);
        return this.open(device);
      },
    };
  }

  /** `mapper/NAME`, `/dev/mapper/NAME` or `252:minor` of a device of ours. */
  #resolve(operand: string): MappedDevice | undefined {
    const name = /^(?:\/dev\/)?mapper\/(.+)$/.exec(operand)?.[1];
    if (name !== undefined) {
      const device = this.#byName.get(name);
      if (!device && !operand.startsWith('/'))
        throw new DmError('ENOENT', `No mapped device is named "${name}"`);
      return device;
    }
    const number = /^(\d+):(\d+)$/.exec(operand);
    if (!number || Number(number[1]) !== MAPPED_MAJOR) return undefined;
    const device = this.#byMinor.get(Number(number[2]));
    if (!device) throw new DmError('ENXIO', `No mapped device has the number ${operand}`);
    return device;
  }

  /** Whether `device` is `base` or reaches it through tables: live, inactive or being loaded. */
  standsOn(device: BlockDevice, base: MappedDevice, seen = new Set<BlockDevice>()): boolean {
    if (device === base) return true;
    if (!(device instanceof MappedDevice) || seen.has(device)) return false;
    seen.add(device);
    const loadings = [...this.#loadings].filter(({ owner }) => owner === device);
    const below = [
      ...(device.live?.devices ?? []),
      ...(device.inactive?.devices ?? []),
      ...loadings.flatMap((loading) => loading.below),
    ];
    return below.some((next) => this.standsOn(next, base, seen));
  }

  /** Counts an opener in; `release` counts it out and ends a deferred removal. */
  open(device: MappedDevice): OpenedDevice {
    this.#checkPresent(device);
    device.openCount += 1;
    let open = true;
    return {
      device,
      release: () => {
        if (!open) return;
        open = false;
        device.openCount -= 1;
        if (device.openCount === 0 && device.deferredRemove) this.#removeUnwatched(device);
      },
    };
  }

  #checkPresent(device: MappedDevice): void {
    if (this.#byName.get(device.name) !== device)
      throw new DmError('ENXIO', `Device ${device.name} does not exist`);
  }

  /** EBUSY while somebody has it open, unless `deferred`: then it goes with its last opener. */
  async remove(device: MappedDevice, options: { deferred?: boolean } = {}): Promise<void> {
    this.#checkPresent(device);
    if (device.openCount > 0) {
      if (!options.deferred) {
        throw new DmError(
          'EBUSY',
          `Cannot remove ${device.name}: it is open ${device.openCount} times`,
        );
      }
      device.deferredRemove = true;
      return;
    }
    await this.#remove(device);
  }

  async #remove(device: MappedDevice): Promise<void> {
    if (this.#byName.get(device.name) !== device) return;
    this.#byName.delete(device.name);
    try {
      await device.destroy();
    } finally {
      this.#byMinor.delete(device.number.minor);
    }
  }

  /** The removal that its last opener sets off: the device is gone whatever closing its tables says, and nobody asks. */
  #removeUnwatched(device: MappedDevice): void {
    this.#remove(device).catch(() => undefined);
  }

  /** Removes every device nobody has open, top of the stacks first, until none is left that can go. */
  async removeAll(options: { deferred?: boolean } = {}): Promise<void> {
    for (let removed = true; removed; ) {
      removed = false;
      for (const device of this.list()) {
        if (device.openCount > 0) continue;
        await this.#remove(device);
        removed = true;
      }
    }
    if (options.deferred) for (const device of this.list()) device.deferredRemove = true;
  }

  rename(device: MappedDevice, name: string): void {
    checkName(name);
    if (this.#byName.has(name))
      throw new DmError('EBUSY', `Cannot rename ${device.name} to ${name}: the name is in use`);
    this.#checkPresent(device);
    const devices = this.list();
    device.name = name;
    this.#byName.clear();
    for (const each of devices) this.#byName.set(each.name, each);
    device.event();
  }

  /** Once only: a uuid that is set stays. */
  setUuid(device: MappedDevice, uuid: string): void {
    checkUuid(uuid);
    if (device.uuid !== '') {
      throw new DmError(
        'EINVAL',
        `Unable to change uuid of mapped device ${device.name} to ${uuid} because uuid is already set to ${device.uuid}`,
      );
    }
    if (this.findUuid(uuid)) throw new DmError('EBUSY', `The uuid "${uuid}" is in use`);
    device.uuid = uuid;
    device.event();
  }
}

async function loadOrClose(device: MappedDevice, table: Table): Promise<void> {
  try {
    await device.load(table);
  } catch (error) {
    await table.close();
    throw error;
  }
}

/** `/` and NUL cannot be in a name, nor can it be longer than DM_NAME_LEN allows. */
function checkName(name: string): void {
  const problem =
    name === ''
      ? 'it is empty'
      : name.includes('/')
        ? 'it contains "/"'
        : name.includes('\0')
          ? 'it contains a NUL'
          : name === '.' || name === '..' || name === 'control'
            ? 'the name is reserved'
            : Buffer.byteLength(name) >= NAME_BYTES
              ? `it has ${Buffer.byteLength(name)} bytes, expected at most ${NAME_BYTES - 1}`
              : null;
  if (problem !== null) throw new DmError('EINVAL', `Name "${name}" invalid: ${problem}`);
}

function checkUuid(uuid: string): void {
  if (Buffer.byteLength(uuid) < UUID_BYTES && !uuid.includes('\0')) return;
  throw new DmError(
    'EINVAL',
    `UUID "${uuid}" invalid: expected at most ${UUID_BYTES - 1} bytes without a NUL`,
  );
}

/** For messages and `deps`: who stands directly below. */
export function dependencies(device: MappedDevice, options: { inactive?: boolean } = {}): string[] {
  const table = options.inactive ? device.inactive : device.live;
  return (table?.devices ?? []).map((below) => formatDeviceNumber(below.number));
}
