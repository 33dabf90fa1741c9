/**
 * Every device at the bottom of a stack, opened once and shared by all tables that name it.
 *
 * Invariants
 * - Operands of one key are one device; it is closed when its last user releases it.
 * - A number (major:minor) belongs to one device for as long as that is open.
 * - A device that a table may write is never read-only: it is upgraded, or the table is refused.
 */

import { resolve } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { type DeviceNumber, formatDeviceNumber } from '../core/device.ts';
import type {
  DeviceOpener,
  MappedReference,
  OpenedDevice,
  OpenMode,
} from '../core/device-opener.ts';
import { FreeNumbers } from '../core/free-numbers.ts';
import type { DeviceKind, LeafDevice } from './device-kind.ts';
import { findMappedPath, withoutLinks } from './mapped-path.ts';
import { memoryKind } from './memory.ts';
import { createPathKind } from './path.ts';

/** For files, memory and remote disks, which have no number of their own. */
export const LEAF_MAJOR = 251;

export interface DeviceStoreOptions {
  /** false: open images even though another program holds a lock on them. Default true. */
  lock?: boolean;
  clock?: Clock;
  /** Asked before the kinds that are always there: memory, files and block nodes. */
  kinds?: readonly DeviceKind[];
  /** Where our own FUSE mount is, absolute: what is below it is never opened, it names mapped devices. */
  mountFolder?: string;
}

export interface OpenLeaf {
  readonly number: DeviceNumber;
  readonly operand: string;
  readonly sizeSectors: number;
  readonly readOnly: boolean;
  /** How many opens were not released yet. */
  readonly userCount: number;
}

interface Entry {
  key: string;
  device: LeafDevice;
  userCount: number;
  /** Its number is ours to give to another; false for a block node's own. */
  numbered: boolean;
}

export class DeviceStore implements DeviceOpener {
  readonly #lock: boolean;
  readonly #clock: Clock;
  readonly #kinds: readonly DeviceKind[];
  readonly #entries = new Map<string, Entry>();
  readonly #byNumber = new Map<string, Entry>();
  readonly #minors = new FreeNumbers();
  readonly #mountFolder: string | null;
  #realMount: string | null = null;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: DeviceStoreOptions = {}) {
    this.#lock = options.lock ?? true;
    this.#clock = options.clock ?? systemClock;
    this.#mountFolder = options.mountFolder ?? null;
    this.#kinds = [...(options.kinds ?? []), memoryKind, createPathKind()];
  }

  async prepare(operand: string): Promise<void> {
    const kind = this.#kindOf(operand);
    if (!kind.prepare || this.#entries.has(kind.key(operand))) return;
    await kind.prepare(operand);
  }

  open(operand: string, mode: OpenMode): OpenedDevice {
    const entry = this.#byNumber.get(operand) ?? this.#find(operand, mode);
    if (!mode.readOnly) makeWritable(entry.device);
    entry.userCount += 1;
    let isOpen = true;
    return {
      device: entry.device,
      release: () => {
        if (!isOpen) return;
        isOpen = false;
        entry.userCount -= 1;
        if (entry.userCount === 0) this.#close(entry);
      },
    };
  }

  #find(operand: string, { directory, readOnly }: OpenMode): Entry {
    const kind = this.#kindOf(operand);
    return this.#share(kind, kind.absolute?.(operand, directory) ?? operand, readOnly);
  }

  findMapped(operand: string, directory: string | undefined): MappedReference | undefined {
    if (operand === '') return undefined;
    const path = this.#kindOf(operand).absolute?.(operand, directory);
    return path === undefined ? undefined : findMappedPath(resolve(path), this.#realMountFolder());
  }

  /** Looked up once it is there: it does not move while the store lives. */
  #realMountFolder(): string | null {
    if (this.#mountFolder === null) return null;
    this.#realMount ??= withoutLinks(this.#mountFolder);
    return this.#realMount ?? this.#mountFolder;
  }

  /** In the order of opening. */
  list(): OpenLeaf[] {
    return [...this.#entries.values()].map(({ device, userCount }) => {
      const { number, operand, sizeSectors, readOnly } = device;
      return { number, operand, sizeSectors, readOnly, userCount };
    });
  }

  /** Closes what is still open, whoever uses it, and resolves when everything is closed. */
  async close(): Promise<void> {
    for (const entry of [...this.#entries.values()]) this.#close(entry);
    while (this.#closing.size > 0) await Promise.all(this.#closing);
  }

  #kindOf(operand: string): DeviceKind {
    if (operand === '') throw new DmError('EINVAL', 'Cannot open a device: its name is empty');
    // The path kind at the end of the list takes every word.
    return this.#kinds.find((kind) => kind.matches(operand))!;
  }

  #share(kind: DeviceKind, operand: string, readOnly: boolean): Entry {
    const key = kind.key(operand);
    const known = this.#entries.get(key);
    if (known) return known;
    const number = this.#takeNumber();
    try {
      const device = kind.open(operand, {
        number,
        readOnly,
        lock: this.#lock,
        clock: this.#clock,
      });
      if (!readOnly && device.readOnly) {
        this.#await(device.close());
        throw readOnlyError(device);
      }
      const entry = { key, device, userCount: 0, numbered: device.number === number };
      if (!entry.numbered) this.#minors.release(number.minor);
      this.#entries.set(key, entry);
      this.#byNumber.set(formatDeviceNumber(device.number), entry);
      return entry;
    } catch (error) {
      this.#minors.release(number.minor);
      throw error;
    }
  }

  #takeNumber(): DeviceNumber {
    const minor = this.#minors.lowest();
    this.#minors.take(minor);
    return { major: LEAF_MAJOR, minor };
  }

  #close(entry: Entry): void {
    if (this.#entries.get(entry.key) !== entry) return;
    this.#entries.delete(entry.key);
    this.#byNumber.delete(formatDeviceNumber(entry.device.number));
    if (entry.numbered) this.#minors.release(entry.device.number.minor);
    this.#await(entry.device.close());
  }

  #await(closing: Promise<void>): void {
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}

function makeWritable(device: LeafDevice): void {
  if (!device.readOnly) return;
  if (!device.upgrade) throw readOnlyError(device);
  device.upgrade();
}

function readOnlyError(device: LeafDevice): DmError {
  return new DmError(
    'EROFS',
    `Cannot open "${device.operand}" for writing: it is read-only; load the table read-only`,
  );
}
