/**
 * The laws every target keeps, as one call for its test: `describeTarget(linear, { maps: [...], rejects: [...] })`.
 *
 * For each line that loads: the listed points; `table()` is the line's own arguments and loads to an equal target; every
 * sector lands once inside `devices()`, and both edges of each range are used; an extra argument is refused; every device is
 * released; random requests, with a suspend and a reload among them, do what byte arrays do.
 */

import { describe, expect, test } from 'vitest';
import type { ErrnoName } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { splitArguments } from '../core/arguments.ts';
import { Bio, Op } from '../core/bio.ts';
import type { BlockDevice, DeviceRange } from '../core/device.ts';
import type { Limits } from '../core/limits.ts';
import { showSecrets } from '../core/line-secrets.ts';
import { Mapper } from '../core/mapper.ts';
import { type Row, type RowSpec, Table } from '../core/table.ts';
import { parseTable } from '../core/table-text.ts';
import { createTargetRegistry, type TargetFeature, type TargetType } from '../core/target.ts';
import { createEnvironment } from '../core/target-environment.ts';
import { zero } from '../targets/zero.ts';
import { checkBytes, Model, type Place, performChecked, randomRequest } from './model.ts';
import { withSeed } from './seed.ts';
import { readSectors } from './submit.ts';
import { type TestDiskOptions, TestDisks } from './test-disk.ts';

export interface MapCase {
  /** Capital letters are disks. A row that begins later gets a row of zeroes in front. */
  line: string;
  /** `[sector, disk, sector there]`, the first counted from the start of the device, as a user sees it. */
  at?: readonly (readonly [sector: number, disk: string, diskSector: number])[];
  /** What `table()` prints where that is not the line's own arguments. */
  prints?: string;
  /** What `status()` prints; default nothing. */
  status?: string;
  /** What the limits of the whole table must contain. */
  limits?: Partial<Limits>;
}

export interface RejectCase {
  line: string;
  error: RegExp;
  /** Default EINVAL. */
  code?: ErrnoName;
}

export interface TargetCases {
  /** The kernel's, as `dmsetup targets` prints it. */
  version: string;
  /** Default: stateless alone. */
  features?: readonly TargetFeature[];
  maps: readonly MapCase[];
  rejects: readonly RejectCase[];
  /** What becomes of requests: they reach disks (default), or are answered with zeroes, or with EIO. */
  answers?: 'disks' | 'zero' | 'error';
  /** Disks of a certain size or kind; all other letters are large and ordinary. */
  disks?: Readonly<Record<string, TestDiskOptions>>;
  /** Holes below say nothing of the device: all of it is data. */
  hidesHoles?: boolean;
  /** Whatever the disks can do. */
  refusesDiscards?: boolean;
  /** Rules of the kernel's that a target breaks, so that a law does not hold for it. */
  exempt?: readonly ('extra argument' | 'whole ranges' | 'byte arrays')[];
}

/** Rows up to this length are looked at sector by sector and driven with random requests. */
const SMALL_SECTORS = 4096;
/** How many sectors of a larger row are looked at, half of them at each end. */
const SAMPLE_COUNT = 512;
const REQUEST_COUNT = 60;

export function describeTarget(type: TargetType, cases: TargetCases): void {
  describe(`target ${type.name}`, () => {
    const laws = new TargetLaws(type, cases);
    test('says what it takes and what it is for', () => {
      expect(type.summary).toMatch(/^[a-z].*[^.]$/);
      expect(type.version.join('.')).toBe(cases.version);
      expect(type.features ?? []).toEqual(cases.features ?? ['stateless']);
    });
    test('is what its lines name', () => {
      const named = [...cases.maps, ...cases.rejects].map(({ line }) => laws.row(line).type);
      expect(new Set(named)).toEqual(new Set([type.name]));
    });
    test('has small lines, which alone are held against a model', () => {
      const small = cases.maps.filter(({ line }) => laws.row(line).length <= SMALL_SECTORS);
      expect(small).not.toHaveLength(0);
    });
    for (const mapCase of cases.maps) describe(mapCase.line, () => laws.define(mapCase));
    for (const rejectCase of cases.rejects) {
      test(`refuses ${rejectCase.line}`, () => laws.checkRejected(rejectCase));
    }
  });
}

class TargetLaws {
  readonly #type: TargetType;
  readonly #cases: TargetCases;

  constructor(type: TargetType, cases: TargetCases) {
    this.#type = type;
    this.#cases = cases;
  }

  row(line: string): RowSpec {
    const [row, ...others] = parseTable(line);
    if (!row || others.length > 0) throw new Error(`Expected one row, got "${line}"`);
    return row;
  }

  define(mapCase: MapCase): void {
    const row = this.row(mapCase.line);
    test('maps the listed points', () => this.#checkPoints(mapCase));
    test('prints a table that loads to an equal target', () => this.#checkTable(mapCase));
    test('uses its ranges, all of them and nothing else', () => this.#checkRanges(row));
    test('releases every device', () => this.#checkRelease(row));
    if (!this.#cases.exempt?.includes('extra argument')) {
      const line = `${mapCase.line} extra`;
      test('refuses an extra argument', () => this.checkRejected({ line, error: /./ }));
    }
    if (row.length > SMALL_SECTORS || this.#cases.exempt?.includes('byte arrays')) return;
    test('does what byte arrays do', () => withSeed((prng) => this.#checkModel(row, prng)));
  }

  async checkRejected({ line, error, code = 'EINVAL' }: RejectCase): Promise<void> {
    const disks = this.#disks();
    await expect(this.#load(this.row(line), disks)).rejects.toMatchObject({
      name: 'DmError',
      code,
      message: expect.stringMatching(error) as string,
    });
    expect(disks.openCount).toBe(0);
  }

  async #checkPoints({ line, at = [], status = '', limits = {} }: MapCase): Promise<void> {
    const table = await this.#load(this.row(line), this.#disks());
    const row = this.#ownRow(table);
    const landed = at.map(([sector]) => [sector, ...(landing(row, sector) ?? [])]);
    expect(landed).toEqual(at);
    expect(row.target.status?.() ?? '').toBe(status);
    expect(table.limits).toMatchObject(limits);
  }

  async #checkTable({ line, prints }: MapCase): Promise<void> {
    const disks = this.#disks();
    const row = this.row(line);
    const first = await this.#load(row, disks);
    const { target } = this.#ownRow(first);
    const printed = showSecrets(target.table(), target.secrets);
    expect(printed).toBe(prints ?? splitArguments(row.params).join(' '));
    const second = await this.#load({ ...row, params: printed }, disks);
    expect(second.tableLines()).toEqual(first.tableLines());
    const landings = (table: Table) =>
      this.#sampleSectors(row).map((sector) => String(landing(this.#ownRow(table), sector)));
    expect(landings(second)).toEqual(landings(first));
    if (prints !== undefined) return;
    expect(second.limits).toEqual(first.limits);
  }

  async #checkRanges(spec: RowSpec): Promise<void> {
    const row = this.#ownRow(await this.#load(spec, this.#disks()));
    const ranges = row.target.devices();
    const landed = new Set<string>();
    // Plain comparisons: `expect` on each of thousands of sectors takes seconds.
    for (const sector of this.#sampleSectors(spec)) {
      const place = landing(row, sector);
      if ((place !== null) !== this.#reachesDisks) throw new Error(`Sector ${sector} goes wrong`);
      if (!place) continue;
      const [disk, diskSector] = place;
      const where = `${disk} ${diskSector}`;
      const isInside = ranges.some(
        ({ device, startSectors, lengthSectors }) =>
          device.operand === disk &&
          diskSector >= startSectors &&
          diskSector < startSectors + lengthSectors,
      );
      if (!isInside) throw new Error(`Sector ${sector} lands outside every range: ${where}`);
      if (landed.has(where)) throw new Error(`Sector ${sector} lands where another did: ${where}`);
      landed.add(where);
    }
    if (spec.length > SMALL_SECTORS || !this.#reachesDisks) return;
    if (this.#cases.exempt?.includes('whole ranges')) return;
    for (const { device, startSectors, lengthSectors } of ranges) {
      for (const edge of [startSectors, startSectors + lengthSectors - 1]) {
        const isUsed = landed.has(`${device.operand} ${edge}`);
        expect(isUsed, `edge ${edge} of the range on ${device.operand} is used`).toBe(true);
      }
    }
  }

  /** After a close, and after a failure at any of the line's devices. */
  async #checkRelease(spec: RowSpec): Promise<void> {
    const disks = this.#disks();
    const table = await this.#load(spec, disks);
    expect(disks.openCount).toBe(table.devices.length);
    await table.close();
    expect(disks.openCount).toBe(0);
    const words = splitArguments(spec.params);
    for (const [index, word] of words.entries()) {
      if (!table.devices.some(({ operand }) => operand === word)) continue;
      const params = words.with(index, 'missing').join(' ');
      await expect(this.#load({ ...spec, params }, disks)).rejects.toThrow(/missing/);
      expect(disks.openCount).toBe(0);
    }
  }

  async #checkModel(spec: RowSpec, prng: Prng): Promise<void> {
    const disks = await this.#storedDisks(spec, prng);
    const mapper = new Mapper({ registry: this.#registry, opener: disks });
    const device = mapper.create({ name: 'law' });
    const rows = [...paddedRows(spec), { ...ZERO_ROW, start: spec.start + spec.length }];
    const table = await mapper.load(device, rows);
    const untouched = disks.all().map((disk) => ({ disk, bytes: disk.bytes.slice() }));
    const model = this.#model(
      table,
      new Map(untouched.map(({ disk, bytes }) => [disk.operand, bytes])),
    );
    // Not before: one that holds bios for a while holds those too that only look where a sector is.
    await device.resume();
    for (let count = 0; count < REQUEST_COUNT; count += 1) {
      if (count === REQUEST_COUNT / 2) await reload(mapper, 'law');
      const request = randomRequest(prng, device);
      await performChecked(device, request, () => model);
    }
    for (const { disk, bytes } of untouched) {
      if (!rangesOn(table, disk).length) continue;
      checkBytes(`Disk ${disk.operand} at the end`, disk.bytes, bytes);
    }
    if (this.#cases.answers !== 'error') {
      const whole = { op: Op.read, sector: 0, sectorCount: device.sizeSectors };
      const bytes = await readSectors(device, 0, device.sizeSectors);
      checkBytes('The device at the end', bytes, model.read(whole));
    }
    await mapper.remove(device);
    expect(disks.openCount).toBe(0);
  }

  /** Where each sector of the device is, as `map` of a single sector says: what splitting must not change. */
  #model(table: Table, bytesByDisk: ReadonlyMap<string, Uint8Array>): Model {
    const answer = this.#cases.answers ?? 'disks';
    const places = Array.from({ length: table.sizeSectors }, (_, sector): Place => {
      const row = table.find(sector);
      if (row.targetType !== this.#type) return 'zero';
      if (answer !== 'disks') return answer;
      const [disk, diskSector] = landing(row, sector)!;
      return { bytes: bytesByDisk.get(disk)!, sector: diskSector };
    });
    const { hidesHoles = false, refusesDiscards = false } = this.#cases;
    return new Model(places, { hidesHoles, refusesDiscards });
  }

  /** The line's disks, just large enough, full of random bytes. */
  async #storedDisks(spec: RowSpec, prng: Prng): Promise<TestDisks> {
    const table = await this.#load(spec, this.#disks());
    const result = new TestDisks();
    for (const device of table.devices) {
      const ends = rangesOn(table, device).map(
        ({ startSectors, lengthSectors }) => startSectors + lengthSectors,
      );
      const { limits } = device;
      const sizeSectors = ends.length > 0 ? Math.max(...ends) : OWN_DISK_SECTORS;
      const disk = result.add(device.operand, { sizeSectors, limits });
      prng.fill(disk.bytes);
    }
    return result;
  }

  get #reachesDisks(): boolean {
    return (this.#cases.answers ?? 'disks') === 'disks';
  }

  get #registry() {
    return createTargetRegistry([zero, this.#type]); // the later one of a name counts
  }

  #disks(): TestDisks {
    return new TestDisks(this.#cases.disks);
  }

  #load(row: RowSpec, opener: TestDisks): Promise<Table> {
    return Table.load(paddedRows(row), {
      registry: this.#registry,
      opener,
      readOnly: false,
      onEvent: () => undefined,
      // Each table for itself: some know of each other.
      environment: createEnvironment(),
    });
  }

  #ownRow(table: Table): Row {
    return table.rows.at(-1)!;
  }

  /** Every sector of a small row; of a large one its first and last. */
  #sampleSectors({ start, length }: RowSpec): number[] {
    if (length <= SMALL_SECTORS) return Array.from({ length }, (_, index) => start + index);
    return Array.from({ length: SAMPLE_COUNT }, (_, index) =>
      index < SAMPLE_COUNT / 2 ? start + index : start + length - SAMPLE_COUNT + index,
    );
  }
}

/** Of a disk that holds nothing of the device: a log, say. The target does with it what it likes. */
const OWN_DISK_SECTORS = 2 ** 12;

/** What the table's targets say that they use of a disk, which may be another one by the same name. */
function rangesOn(table: Table, disk: BlockDevice): DeviceRange[] {
  const ranges = table.rows.flatMap(({ target }) => target.devices());
  return ranges.filter(({ device }) => device.operand === disk.operand);
}

const ZERO_ROW: RowSpec = { start: 0, length: 8, type: 'zero', params: '' };

/** With zeroes in front of a row that begins later. */
function paddedRows(row: RowSpec): RowSpec[] {
  return row.start === 0 ? [row] : [{ ...ZERO_ROW, length: row.start }, row];
}

/** Where a read of the one sector goes, or null when the target answers it itself. */
function landing(row: Row, sector: number): [disk: string, sector: number] | null {
  const bio = new Bio();
  bio.sector = sector;
  bio.sectorCount = 1;
  bio.data = new Uint8Array(SECTOR_BYTES);
  bio.onEnd = () => undefined;
  if (row.target.map(bio) !== 'remapped') return null;
  return [bio.device!.operand, bio.sector];
}

/** Suspends, puts what `table` prints into the other slot, and resumes with it. */
async function reload(mapper: Mapper, name: string): Promise<void> {
  const device = mapper.get(name);
  const lines = device.live!.tableLines();
  await device.suspend();
  await mapper.load(device, parseTable(lines.join('\n')));
  await device.resume();
  expect(device.live!.tableLines()).toEqual(lines);
}
