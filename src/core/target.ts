/**
 * The contract between the core and a target, in the kernel's shape (include/linux/device-mapper.h).
 *
 * The core does: argument words, opening and closing devices, gaps and overlaps, sizes and alignment against the devices, limits,
 * splitting at row and `maxIoSectors` boundaries, flush fan-out, suspend. A target only maps.
 */

import type { Secret } from '../crypto/secret.ts';
import type { ArgumentReader } from './arguments.ts';
import type { Bio } from './bio.ts';
import type { BlockDevice, DeviceRange } from './device.ts';
import type { KeyFinder } from './keyring.ts';
import type { Limits } from './limits.ts';
import type { SecretText } from './line-secrets.ts';
import type { TargetEnvironment } from './target-environment.ts';
import type { TargetMemory } from './target-memory.ts';

/**
 * - `remapped`: `bio.device` and `bio.sector` are rewritten; the core submits it
 * - `submitted`: the target took the bio over and ends it, now or later
 * - `requeue`: not now; held until resume if a noflush suspend is under way, else it fails with EIO
 * - `kill`: fail it with EIO
 */
export type MapResult = 'remapped' | 'submitted' | 'requeue' | 'kill';

export interface Target {
  /** Synchronous, no promise and no allocation. The bio lies inside the row and inside one `maxIoSectors` piece of it. */
  map(bio: Bio): MapResult;
  /**
   * Promises that `map` does nothing but `bio.device = device; bio.sector += sectors`, so that the core need not call it.
   * Not together with `maxIoSectors`, `rangeBioCount`, `end` or a feature that concerns flushes.
   */
  readonly shift?: { readonly device: BlockDevice; readonly sectors: number };
  /** The arguments, printed so that they load to an equal target. A key is a word that names one of `secrets` (line-secrets.ts). */
  table(): string;
  /** What `table` names; the target's own, wiped when it closes. */
  readonly secrets?: readonly Secret[];
  /**
   * Arguments for a copy in another thread, where they are not `table()`'s: `:raw:N` in it names one of `secrets`. The copy shares their
   * memory, so that wiping them here wipes them everywhere.
   */
  replica?(): SecretText;
  /**
   * For a target that is not `stateless`: where, until `renewCopies`, other threads may send bios without asking `map`; null: nowhere. What it promises, `map` does too.
   */
  passThrough?(): PassThrough | null;
  /** What `dmsetup status` prints behind the type name; default: nothing. `noflush`: nothing is written for it first. */
  status?(options?: { noflush: boolean }): string;
  /** What `dmsetup measure` prints between the version and the semicolon, e.g. `device_name=7:0,start=8`; default: nothing at all. */
  measure?(): string;
  /** Every range of every device below. The core checks sizes with it, stacks limits, and flushes each device once. */
  devices(): DeviceRange[];
  /** Bios are split so that none crosses a multiple of this, counted from the row's start. */
  readonly maxIoSectors?: number;
  /** The same for reads alone and writes alone, where there is no `maxIoSectors`. */
  readonly maxReadSectors?: number;
  readonly maxWriteSectors?: number;
  /**
   * Discard and write-zeroes arrive this many times with the *whole* range and `bio.targetBioNumber` 0 .. n-1, not split at
   * `maxIoSectors` (striped: one per stripe). The target sets `sector` and `sectorCount` itself; a count of 0 ends the clone at once.
   */
  readonly rangeBioCount?: number;
  /** true: discards work whatever the devices below can do (error). */
  readonly discardsSupported?: boolean;
  /** Adjusts the stacked limits of the row's devices (io_hints). */
  limits?(stacked: Limits): Limits;
  /** Called when a clone that this target returned `remapped` for ended; may change `bio.error`. */
  end?(bio: Bio): void;
  /** `argv[0]` is the message's name. Answers text for the caller or nothing; DmError for refusals. The caller wipes `secrets`. */
  message?(
    argv: readonly string[],
    secrets: readonly Secret[],
  ): string | undefined | Promise<string | undefined>;
  /**
   * What a constructor has to read from its devices, awaited once after `create`: a DmError refuses the table, and `close` follows. The table may be live
   * later or never.
   */
  load?(): Promise<void>;
  /** Life cycle, in the kernel's order; a rejection of `preresume` keeps the device suspended. */
  presuspend?(): void;
  /** The suspend was given up. */
  presuspendUndo?(): void;
  postsuspend?(): Promise<void> | void;
  preresume?(): Promise<void> | void;
  resume?(): void;
  /** Frees what the target itself made; devices it opened are closed by the table. */
  close?(): Promise<void> | void;
}

/** As `Target.shift`, for a while. */
export interface PassThrough {
  readonly device: BlockDevice;
  /** Added to the sector of the mapped device. */
  readonly sectors: number;
  readonly ops: 'all' | 'reads';
}

/** What a constructor gets besides its arguments. */
export interface TargetContext {
  /** The row, in sectors of the mapped device. */
  readonly start: number;
  readonly length: number;
  /**
   * Opens an operand (path, `major:minor`, `mapper/NAME`, URI, `mem:SIZE`) for the table's mode, or to be read alone. The table closes it.
   * Throws DmError (ENOENT, ENOTBLK, EBUSY ...) with the kernel's words at the target's choice in front: see `ArgumentReader.device`.
   */
  open(operand: string, options?: { readOnly?: boolean }): BlockDevice;
  /** What words of the arguments name (line-secrets.ts); the caller wipes them unless they are those of a copy. */
  readonly secrets: readonly Secret[];
  /** Keys that arguments refer to. */
  readonly keyring: KeyFinder;
  /** For what a target sends below in place of its caller's data. */
  readonly memory: TargetMemory;
  /** The mapped device raises its event counter and wakes waiters. */
  event(): void;
  /** A sentence for whoever runs the mapper, as a kernel's target has it in the log; the device's name comes in front. */
  report(message: string): void;
  /** Time, randomness, and what targets share with each other. */
  readonly environment: TargetEnvironment;
  /**
   * `passThrough` answers something else now: resolves when no other thread goes by the old answer. Not from the life cycle's functions, which
   * other threads wait for anyway.
   */
  renewCopies(): Promise<void>;
}

export interface TargetType {
  readonly name: string;
  readonly version: readonly [major: number, minor: number, patch: number];
  /** Arguments for `devmapper targets` and for error messages, e.g. `<device> <offset>`. */
  readonly usage: string;
  /** One line: what it is for. */
  readonly summary: string;
  readonly features?: readonly TargetFeature[];
  /** Loads what `create` needs, awaited before it. For a target that brings much along and that few tables name. */
  prepare?(): Promise<void>;
  /** Throws DmError; the table closes every device opened by then. */
  create(args: ArgumentReader, context: TargetContext): Target;
}

/**
 * - `singleton`: must be alone in its table
 * - `immutable`: a table of it is only replaced by a table of the same type
 * - `always-writeable`: not allowed in a read-only table
 * - `stateless`: `map` depends on nothing but the constructor's arguments and takes no time, so that a data-plane
 *   worker may run a copy made from `replica()` or `table()`; needs `maxIoSectors` etc. to be fixed after `create`
 * - `wildcard`: a table of it replaces any other, immutable or not (error)
 * - `maps-flush`: flushes go through `map` as well as to the devices
 * - `owns-flush`: flushes go through `map` alone, and get to a device only as `map` says
 */
export type TargetFeature =
  | 'singleton'
  | 'immutable'
  | 'always-writeable'
  | 'stateless'
  | 'wildcard'
  | 'maps-flush'
  | 'owns-flush';

/** Whether flushes go through `map`. */
export function mapsFlush({ features }: TargetType): boolean {
  return features?.some((feature) => feature === 'maps-flush' || feature === 'owns-flush') ?? false;
}

/** Finds a type by name; the composition root fills it from targets/index.ts. */
export interface TargetRegistry {
  get(name: string): TargetType | undefined;
  list(): readonly TargetType[];
}

export function createTargetRegistry(types: readonly TargetType[]): TargetRegistry {
  const byName = new Map(types.map((type) => [type.name, type]));
  return { get: (name) => byName.get(name), list: () => types };
}
