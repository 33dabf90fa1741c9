/** What the device store asks of a kind of device, so that a new kind is one file and one entry in a list. */

import type { Clock } from '../base/clock.ts';
import type { BlockDevice, DeviceNumber } from '../core/device.ts';

/** A device at the bottom of a stack, open until `close`. */
export interface LeafDevice extends BlockDevice {
  /**
   * Resolves, and never rejects, when nothing is under way any more and everything it held is given back.
   * Bios that come after the call fail.
   */
  close(): Promise<void>;
  /** Makes a read-only device writable in place, or throws DmError and leaves it as it was. Absent: it cannot be. */
  upgrade?(): void;
}

export interface LeafOptions {
  /** Set aside for the device; one that has a number of its own (a block node) carries that instead. */
  readonly number: DeviceNumber;
  readonly readOnly: boolean;
  /** false: open it even though another program holds a lock on it. */
  readonly lock: boolean;
  readonly clock: Clock;
}

export interface DeviceKind {
  /** Of the words of a table, unquoted: is this one for this kind? The first kind that says yes gets it. */
  matches(operand: string): boolean;
  /** Of a kind of paths: the operand without a directory it is relative to. Throws DmError. */
  absolute?(operand: string, directory: string | undefined): string;
  /** Equal for operands that mean one device, which is then opened once and shared. Throws DmError (ENOENT ...). */
  key(operand: string): string;
  /**
   * Does what takes time, so that `open` takes none. Called before each `open` of a word that looks like a URI and that is
   * not open yet; several may come before the `open`, and none needs to: the kind drops what nobody opens.
   */
  prepare?(operand: string): Promise<void>;
  /** Throws DmError. `operand` of the device must be quoted (`quoteArgument`), so that a printed table can be loaded. */
  open(operand: string, options: LeafOptions): LeafDevice;
}
