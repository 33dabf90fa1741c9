/**
 * A table: contiguous rows from sector 0, each a target. Immutable once loaded; it owns every device its targets opened.
 *
 * Checks and their order follow dm_table_add_target and dm_calculate_queue_limits (drivers/md/dm-table.c).
 */

import { assert } from '../base/assert.ts';
import { DmError } from '../base/errors.ts';
import { MAX_SECTORS, SECTOR_BYTES } from '../base/units.ts';
import type { Secret } from '../crypto/secret.ts';
import { ArgumentReader, splitArguments } from './arguments.ts';
import type { BlockDevice, DeviceRange } from './device.ts';
import { type DeviceOpener, OpenedDevices } from './device-opener.ts';
import { type KeyUser, NO_KEYS } from './keyring.ts';
import { DEFAULT_LIMITS, type Limits, stackLimits } from './limits.ts';
import { showSecrets, splitSecrets, wipeSecrets } from './line-secrets.ts';
import { type RowError, refusal } from './row-error.ts';
import { RowIndex } from './row-index.ts';
import { mapsFlush, type Target, type TargetRegistry, type TargetType } from './target.ts';
import { createEnvironment, type TargetEnvironment } from './target-environment.ts';
import { plainMemory, type TargetMemory } from './target-memory.ts';

export { RowError } from './row-error.ts';

/** One line of a table, before anything is looked up. */
export interface RowSpec {
  start: number;
  length: number;
  type: string;
  /** The rest of the line, unsplit. */
  params: string;
  /** What words of `params` name instead of saying it: keys. Whoever made the row wipes them. See line-secrets.ts. */
  secrets?: readonly Secret[];
}

export interface Row extends Omit<RowSpec, 'secrets'> {
  /** First sector behind the row. */
  end: number;
  targetType: TargetType;
  target: Target;
}

export interface TableOptions {
  registry: TargetRegistry;
  opener: DeviceOpener;
  readOnly: boolean;
  directory?: string | undefined;
  /** Behind `TargetContext.event`. */
  onEvent(): void;
  /** Behind `TargetContext.report`; default: nobody hears it. */
  onReport?(message: string): void;
  /** Behind `TargetContext.renewCopies`; default: there are none. */
  renewCopies?(): Promise<void>;
  /** Default: the system's. */
  environment?: TargetEnvironment;
  /** Keys that rows may refer to; default: none. */
  keyring?: KeyUser | undefined;
  /** Where targets get memory from; default: anywhere. */
  memory?: TargetMemory | undefined;
}

/** For tables without a mapper. */
const DEFAULT_ENVIRONMENT = createEnvironment();
const NO_COPIES = async () => undefined;
const NO_REPORT = () => undefined;

const URI = /^[a-z][a-z0-9+.-]*:\/\//;

export class Table {
  readonly rows: readonly Row[];
  readonly readOnly: boolean;
  readonly sizeSectors: number;
  /** What somebody asked for (BLKRASET); null: the usual. It goes with the table. */
  readAheadSectors: number | null = null;
  /** What each operand word of the rows was opened as: a copy of this table elsewhere resolves words with it. */
  readonly operands: ReadonlyMap<string, BlockDevice>;
  /** Each device below once, in the order of first use. */
  readonly devices: readonly BlockDevice[];
  /** Those of them that a flush goes to straight. */
  readonly flushedDevices: readonly BlockDevice[];
  readonly rowIndex: RowIndex;
  /** What its rows look keys up in, now and in messages. */
  readonly keyring: KeyUser;
  #limits: Limits;
  readonly #opened: OpenedDevices;

  private constructor(rows: Row[], opened: OpenedDevices, options: TableOptions) {
    this.rows = rows;
    this.readOnly = options.readOnly;
    this.keyring = options.keyring ?? NO_KEYS;
    this.#limits = tableLimits(rows);
    this.sizeSectors = rows.at(-1)?.end ?? 0;
    this.operands = opened.operands;
    this.devices = opened.devices;
    this.flushedDevices = flushedDevices(rows, opened.devices);
    this.rowIndex = new RowIndex(rows, opened.devices);
    this.#opened = opened;
  }

  /** Builds every target, then checks sizes and limits. On any failure everything opened is released again. */
  static async load(specs: Iterable<RowSpec>, options: TableOptions): Promise<Table> {
    const opened = new OpenedDevices(options);
    const rows: Row[] = [];
    try {
      for (const spec of specs) rows.push(await loadRow(spec, rows, opened, options));
      if (rows.length === 0) throw new DmError('EINVAL', 'Cannot load table: no targets specified');
      return new Table(rows, opened, options);
    } catch (error) {
      await closeAll(rows, opened);
      throw error;
    }
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** Before it becomes live: the devices below may have changed since it was loaded. Throws as `load` does. */
  recheck(): void {
    this.#limits = tableLimits(this.rows);
  }

  /** The row that holds `sector`, which must be inside the table. */
  find(sector: number): Row {
    return this.rows[this.rowIndex.find(sector)]!;
  }

  /** The table's text, a row a line, as `dmsetup table --showkeys` prints it. */
  tableLines(): string[] {
    return this.rows.map((row) =>
      formatRow(row, showSecrets(row.target.table(), row.target.secrets)),
    );
  }

  /** As `dmsetup status` prints it. */
  statusLines(): string[] {
    return this.rows.map((row) => formatRow(row, row.target.status?.() ?? ''));
  }

  hasFeature(feature: NonNullable<TargetType['features']>[number]): boolean {
    return this.rows.some((row) => row.targetType.features?.includes(feature));
  }

  /** A table of an immutable target is only replaced by one of the same target, or by one that replaces any. */
  checkReplaces(live: Table | null, deviceName: string): void {
    const immutable = live?.rows[0];
    if (!live?.hasFeature('immutable') || immutable === undefined) return;
    if (this.hasFeature('wildcard')) return;
    if (this.rows.every((row) => row.type === immutable.type)) return;
    throw new DmError(
      'EINVAL',
      `Cannot load table of ${deviceName}: can't replace immutable target type ${immutable.type}`,
    );
  }

  async close(): Promise<void> {
    await closeAll(this.rows, this.#opened);
  }
}

/** Every target gets its `close` and every device its release, whatever one of them throws; the first error is the caller's. */
async function closeAll(rows: readonly Row[], opened: OpenedDevices): Promise<void> {
  const errors: unknown[] = [];
  for (const row of rows) {
    try {
      await row.target.close?.();
    } catch (error) {
      errors.push(error);
    }
  }
  opened.release();
  if (errors.length > 0) throw errors[0];
}

/** A device that only rows with flushes of their own use is theirs to flush. */
function flushedDevices(rows: readonly Row[], devices: readonly BlockDevice[]) {
  const others = rows.filter(({ targetType }) => !targetType.features?.includes('owns-flush'));
  if (others.length === rows.length) return devices;
  const used = others.flatMap(({ target }) => target.devices().map(({ device }) => device));
  return devices.filter((device) => used.includes(device));
}

function formatRow(row: RowSpec, text: string): string {
  return `${row.start} ${row.length} ${row.type} ${text}`;
}

/** A row whose keys are still text is made anew without them: what its words are parts of lives as long as they do. */
async function loadRow(
  spec: RowSpec,
  before: readonly Row[],
  opened: OpenedDevices,
  options: TableOptions,
): Promise<Row> {
  if (spec.secrets !== undefined) return await prepareRow(spec, before, opened, options);
  const { text, secrets } = splitSecrets(spec.type, spec.params);
  if (secrets.length === 0) return await prepareRow(spec, before, opened, options);
  try {
    return await prepareRow({ ...spec, params: text, secrets }, before, opened, options);
  } finally {
    wipeSecrets(secrets);
  }
}

async function prepareRow(
  spec: RowSpec,
  before: readonly Row[],
  opened: OpenedDevices,
  options: TableOptions,
): Promise<Row> {
  const words = splitArguments(spec.params);
  for (const word of words) if (URI.test(word)) await options.opener.prepare(word);
  const type = options.registry.get(spec.type);
  if (type?.prepare !== undefined) await type.prepare();
  const row = createRow(spec, words, before, opened, options);
  await loadTarget(row, spec);
  return row;
}

async function loadTarget({ target }: Row, spec: RowSpec): Promise<void> {
  try {
    await target.load?.();
  } catch (error) {
    await target.close?.();
    if (error instanceof DmError) throw refusal(spec, error.message, error);
    throw error;
  }
}

/** One row, refused in the kernel's order: length, range, type, singleton, mode, immutability, gap, arguments. */
function createRow(
  spec: RowSpec,
  words: readonly string[],
  before: readonly Row[],
  opened: OpenedDevices,
  options: TableOptions,
): Row {
  const targetType = checkRow(spec, before, options);
  const { environment = DEFAULT_ENVIRONMENT } = options;
  const { start, length, params } = spec;
  const { open } = opened;
  const args = new ArgumentReader(words, open);
  const context = {
    start,
    length,
    open,
    secrets: spec.secrets ?? [],
    keyring: options.keyring ?? NO_KEYS,
    memory: options.memory ?? plainMemory,
    event: options.onEvent,
    report: options.onReport ?? NO_REPORT,
    environment,
    renewCopies: options.renewCopies ?? NO_COPIES,
  };
  try {
    const target = targetType.create(args, context);
    assert(
      target.shift === undefined || !seesMore(target, targetType),
      `${spec.type} declares a shift and wants more than that`,
    );
    // Each row's own memory counts: names and functions are shared.
    return {
      start,
      length,
      type: targetType.name,
      params,
      end: start + length,
      targetType,
      target,
    };
  } catch (error) {
    if (error instanceof DmError) throw refusal(spec, error.message, error);
    throw error;
  }
}

/** Whether the target wants anything of a bio besides moving it. */
function seesMore(target: Target, type: TargetType): boolean {
  return (
    target.maxIoSectors !== undefined ||
    target.maxReadSectors !== undefined ||
    target.maxWriteSectors !== undefined ||
    target.rangeBioCount !== undefined ||
    target.end !== undefined ||
    mapsFlush(type)
  );
}

function checkRow(spec: RowSpec, before: readonly Row[], options: TableOptions): TargetType {
  const first = before[0];
  if (first?.targetType.features?.includes('singleton')) {
    throw refusal(spec, `target type ${first.type} must appear alone in table`);
  }
  if (spec.length === 0) throw refusal(spec, 'zero-length target');
  if (spec.start + spec.length > MAX_SECTORS) throw refusal(spec, 'too large device');
  const targetType = options.registry.get(spec.type);
  if (!targetType) throw refusal(spec, 'unknown target type');
  const features = targetType.features ?? [];
  if (features.includes('singleton') && first) {
    throw refusal(spec, 'singleton target type must appear alone in table');
  }
  if (features.includes('always-writeable') && options.readOnly) {
    throw refusal(spec, 'target type may not be included in a read-only table');
  }
  // The rows before kept this rule among themselves, so the first speaks for all.
  const mixes =
    first !== undefined &&
    first.type !== spec.type &&
    (features.includes('immutable') || first.targetType.features?.includes('immutable'));
  if (mixes) throw refusal(spec, 'immutable target type cannot be mixed with other target types');
  if (spec.start !== (before.at(-1)?.end ?? 0)) throw refusal(spec, gapMessage(spec, before));
  return targetType;
}

function gapMessage(spec: RowSpec, before: readonly Row[]): string {
  return `Gap in table: expected the row to start at sector ${before.at(-1)?.end ?? 0}, got ${spec.start}`;
}

function tableLimits(rows: readonly Row[]): Limits {
  const limitsOfRows = rows.map(rowLimits);
  const limits = limitsOfRows.reduce(stackLimits, DEFAULT_LIMITS);
  checkBlockAlignment(rows, limitsOfRows, limits.logicalBlockBytes);
  return limits;
}

function rowLimits(row: Row): Limits {
  let limits: Limits = DEFAULT_LIMITS;
  const ranges = row.target.devices();
  for (const { device } of ranges) limits = stackLimits(limits, device.limits);
  if (row.target.discardsSupported && limits.discardGranularityBytes === 0) {
    limits = { ...limits, discardGranularityBytes: limits.logicalBlockBytes };
  }
  limits = row.target.limits?.(limits) ?? limits;
  for (const range of ranges) checkDeviceRange(row, range, limits.logicalBlockBytes);
  return limits;
}

/** device_area_is_invalid: the range lies on the device and on the row's blocks. A device of size 0 is not judged. */
function checkDeviceRange(row: Row, range: DeviceRange, blockBytes: number): void {
  const { device, startSectors: start, lengthSectors: length } = range;
  if (device.sizeSectors > 0 && start + length > device.sizeSectors) {
    const numbers = `start=${start}, len=${length}, dev_size=${device.sizeSectors}`;
    throw refusal(row, `${device.operand} too small for target: ${numbers}`);
  }
  const blockSectors = blockBytes / SECTOR_BYTES;
  if (blockSectors <= 1) return;
  for (const [name, sectors] of [
    ['start', start],
    ['len', length],
  ] as const) {
    if (sectors % blockSectors === 0) continue;
    throw refusal(
      row,
      `${name}=${sectors} not aligned to h/w logical block size ${blockBytes} of ${device.operand}`,
    );
  }
}

/**
 * validate_hardware_logical_block_alignment: a block of the whole table that several rows share must lie on rows whose own
 * devices have blocks small enough for their part of it.
 */
function checkBlockAlignment(
  rows: readonly Row[],
  limitsOfRows: readonly Limits[],
  blockBytes: number,
): void {
  const blockSectors = blockBytes / SECTOR_BYTES;
  assert(Number.isInteger(blockSectors), 'logical block size is a multiple of 512');
  let missingSectors = 0;
  for (const [index, row] of rows.entries()) {
    const ownBlockSectors = limitsOfRows[index]!.logicalBlockBytes / SECTOR_BYTES;
    if (missingSectors < row.length && missingSectors % ownBlockSectors !== 0) {
      throw misaligned(row, blockBytes);
    }
    missingSectors = (blockSectors - (row.end % blockSectors)) % blockSectors;
  }
  const last = rows.at(-1);
  if (last && missingSectors > 0) throw misaligned(last, blockBytes);
}

function misaligned(row: Row, blockBytes: number): RowError {
  const range = `start sect ${row.start} len ${row.length}`;
  return refusal(row, `row (${range}) not aligned to h/w logical block size ${blockBytes}`);
}
