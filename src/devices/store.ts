/**
 * Every device at the bottom of a stack, opened once and shared by all tables that name it.
 *
 * Invariants
 * - Operands of one key are one device; it is closed when its last user releases it.
 * - A number (major:minor) belongs to one device for as long as that is open.
 * - A device that a table may write is never read-only: it is upgraded, or the table is refused.
 */

import { type Clock, systemClock } from '../base/clock.ts';
import { DmError } from '../base/errors.ts';
import { type DeviceNumber, formatDeviceNumber } from '../core/device.ts';
import type { DeviceOpener, OpenedDevice } from '../core/table.ts';
import type { DeviceKind, LeafDevice } from './device-kind.ts';
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
  readonly #minors = new Set<number>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: DeviceStoreOptions = {}) {
    this.#lock = options.lock ?? true;
    this.#clock = options.clock ?? systemClock;
    this.#kinds = [...(options.kinds ?? []), memoryKind, createPathKind()];
  }

  async prepare(operand: string): Promise<void> {
    const kind = this.#kindOf(operand);
    if (!kind.prepare || this.#entries.has(kind.key(operand))) return;
    await kind.prepare(operand);
  }

  open(operand: string, mode: { readOnly: boolean }): OpenedDevice {
    const entry =
      this.#findNumber(operand) ?? this.#share(this.#kindOf(operand), operand, mode.readOnly);
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

  /** A number of ours, as `deps` shows it. */
  #findNumber(operand: string): Entry | undefined {
    if (!/^\d+:\d+$/.test(operand)) return undefined;
    return [...this.#entries.values()].find(
      ({ device }) => formatDeviceNumber(device.number) === operand,
    );
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
      if (!entry.numbered) this.#minors.delete(number.minor);
      this.#entries.set(key, entry);
      return entry;
    } catch (error) {
      this.#minors.delete(number.minor);
      throw error;
    }
  }

  #takeNumber(): DeviceNumber {
    let minor = 0;
    while (this.#minors.has(minor)) minor += 1;
    this.#minors.add(minor);
    return { major: LEAF_MAJOR, minor };
  }

  #close(entry: Entry): void {
    if (this.#entries.get(entry.key) !== entry) return;
    this.#entries.delete(entry.key);
    if (entry.numbered) this.#minors.delete(entry.device.number.minor);
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
