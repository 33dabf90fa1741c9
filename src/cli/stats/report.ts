/** `devmapper stats list` and `report`. */

import { sleep, systemClock } from '../../base/clock.ts';
import type { DeviceSelector, DmClient } from '../../control/client/dm-client.ts';
import type { Invocation } from '../dmsetup/command.ts';
import { openReader } from '../dmsetup/device-report.ts';
import { forEachDevice } from '../dmsetup/devices.ts';
import { commandFailed, DmsetupFailure } from '../dmsetup/failure.ts';
import type { DeviceFacts, FactReader } from '../dmsetup/info-facts.ts';
import { deviceFields } from '../dmsetup/info-fields.ts';
import type { DmsetupOptions } from '../dmsetup/options.ts';
import { NO_DEVICES, print, printJson, REPORT_SINK } from '../dmsetup/print.ts';
import { reportOptions } from '../dmsetup/report-options.ts';
import type { Field, FieldGroup } from '../report/field.ts';
import { findField } from '../report/field-list.ts';
import { Report } from '../report/report.ts';
import { ReportError } from '../report/report-error.ts';
import { ALL_PROGRAMS, PROGRAM_ID, StatisticsDevice, type Warn } from './device.ts';
import { COUNTER_FIELDS, REGION_FIELDS, statisticsFields } from './fields.ts';
import { type Objects, rowsOf, type StatisticsRow } from './rows.ts';
import { parseUnits, type Units } from './size-text.ts';

type Kind = 'list' | 'report';
/** Columns may be of the device too. */
type ReportRow = StatisticsRow & { facts: DeviceFacts };

const NS_PER_MS = 1e6;
const NS_PER_S = 1e9;

const NAMES = 'statsname,group_id,region_id,obj_type';
const REGION = `${NAMES},region_start,region_len,area_count`;
const AREAS = 'area_id,area_start,area_len';
const RATES =
  'reads_merged_per_sec,writes_merged_per_sec,reads_per_sec,writes_per_sec,' +
  'read_size_per_sec,write_size_per_sec,avg_request_size,queue_size,util,await,read_await,write_await';
const RAW =
  'read_count,reads_merged_count,read_sector_count,read_time,read_ticks,' +
  'write_count,writes_merged_count,write_sector_count,write_time,write_ticks,' +
  'in_progress_count,io_ticks,queue_ticks';

/** Without `-o`. */
function defaultColumns(kind: Kind, options: DmsetupOptions): string {
  if (kind === 'list') {
    const about = options.verbose ? `${REGION},${AREAS}` : `${REGION},area_len`;
    return `${about},${options.histogram ? 'hist_bins,hist_bounds' : 'program_id'}`;
  }
  if (options.histogram) {
    const values = options.relative ? 'hist_percent_bounds' : 'hist_count_bounds';
    return `${REGION},area_len,util,await,${values}`;
  }
  return `${NAMES},${AREAS},${options.raw ? RAW : RATES}`;
}

/** What gets a row. */
function chooseObjects(kind: Kind, { area, region, group, verbose }: DmsetupOptions): Objects {
  const isChosen = area || region || group;
  const everything = { areas: true, regions: true, groups: true, skipSingleAreas: true };
  if (kind === 'list' && verbose) return everything;
  if (kind === 'report' && !isChosen) return everything;
  if (!isChosen) return { areas: false, regions: true, groups: true, skipSingleAreas: false };
  return {
    areas: area ?? false,
    regions: region ?? false,
    groups: group ?? false,
    skipSingleAreas: false,
  };
}

export function readUnits(options: DmsetupOptions): Units {
  const units = parseUnits(options.units ?? 'h');
  if (units === null) throw commandFailed(['Invalid --units argument.']);
  return units;
}

export async function reportStatistics(
  client: DmClient,
  invocation: Invocation,
  kind: Kind,
  warn: Warn,
): Promise<void> {
  const { options } = invocation;
  const report = openReport(kind, options, readUnits(options));
  if (report.helped) return;
  const reader = await openReader(client, report, options);
  const visitor = new Visitor(
    { client, report, reader },
    {
      programId: options.allprograms ? ALL_PROGRAMS : (options.programid ?? PROGRAM_ID),
      objects: chooseObjects(kind, options),
      needsCounters: kind === 'report' || report.uses(COUNTER_FIELDS),
      intervalNs: (options.interval ?? 1) * NS_PER_S,
      warn,
    },
  );
  const times = repetitions(options);
  for (let time = 1; time <= times; time += 1) {
    const count = await forEachDevice(
      client,
      { ...invocation, options: withoutSelect(options) },
      (device) => visitor.visit(device),
      { everyDevice: true },
    );
    if (options.json) printJson({ statistics: report.objects() });
    else {
      if (count === 0) print(NO_DEVICES);
      report.end();
    }
    if (time < times) await visitor.waitForNext(options.json ?? false);
  }
}

/** `--select` is about rows here. */
function withoutSelect(options: DmsetupOptions): DmsetupOptions {
  const { select, ...others } = options;
  return others;
}

function repetitions({ count, interval }: DmsetupOptions): number {
  if (count) return count;
  return count === undefined && interval === undefined ? 1 : Number.POSITIVE_INFINITY;
}

function openReport(kind: Kind, options: DmsetupOptions, units: Units): Report<ReportRow> {
  const aligned = !options.noheadings;
  const fields: Field<ReportRow>[] = [
    ...deviceFields<ReportRow>(({ facts }) => facts),
    ...statisticsFields({ units, timeSuffix: !options.notimesuffix, aligned }),
  ];
  const usualGroups = kind === 'list' ? [REGION_FIELDS] : [COUNTER_FIELDS, REGION_FIELDS];
  const groupsOfAll = [...usualGroups, ...groupsNamed(fields, options.options ?? '')];
  const shape = { fields, groupsOfAll, columns: defaultColumns(kind, options), sort: '' };
  try {
    return new Report(shape, reportOptions(options), REPORT_SINK);
  } catch (error) {
    if (error instanceof ReportError) throw new DmsetupFailure([error.text.trimEnd()]);
    throw error;
  }
}

/** `all` is all fields of the groups that the report has something of. */
function groupsNamed(fields: readonly Field<ReportRow>[], list: string): FieldGroup[] {
  return list
    .split(',')
    .map((word) => findField(fields, word)?.group)
    .filter((group) => group !== undefined);
}

interface VisitorOptions {
  programId: string;
  objects: Objects;
  needsCounters: boolean;
  intervalNs: number;
  warn: Warn;
}

interface Parts {
  client: DmClient;
  report: Report<ReportRow>;
  reader: FactReader;
}

/** Reads devices into a report, and knows how long it took since it read them last. */
class Visitor {
  readonly #parts: Parts;
  readonly #options: VisitorOptions;
  #startMs: number | null = null;
  #lastMs: number | null = null;
  /** Before the first reading nobody knows how long was counted: as long as was asked for. */
  #intervalNs: bigint;
  #isNewInterval = false;

  constructor(parts: Parts, options: VisitorOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#intervalNs = BigInt(options.intervalNs);
  }

  async visit(selector: DeviceSelector): Promise<void> {
    const { programId, objects, needsCounters, warn } = this.#options;
    const { client, report, reader } = this.#parts;
    const facts = await reader.read(selector);
    const device = await StatisticsDevice.read(client, selector, programId, warn);
    if (device.regions.size === 0) return;
    if (needsCounters) {
      await device.takeCounters();
      this.#measureInterval();
    }
    for (const row of rowsOf(device, objects, this.#intervalNs)) report.add({ ...row, facts });
  }

  #measureInterval(): void {
    const nowMs = systemClock.nowMs();
    this.#startMs ??= nowMs;
    if (this.#lastMs !== null && this.#isNewInterval)
      this.#intervalNs = BigInt(Math.max(1, Math.round((nowMs - this.#lastMs) * NS_PER_MS)));
    if (this.#lastMs === null || this.#isNewInterval) this.#lastMs = nowMs;
    this.#isNewInterval = false;
  }

  /** Until the next multiple of the interval, so that readings do not drift. */
  async waitForNext(isQuiet: boolean): Promise<void> {
    if (!isQuiet) print('\n');
    const intervalMs = this.#options.intervalNs / NS_PER_MS;
    const passedMs = systemClock.nowMs() - (this.#startMs ?? systemClock.nowMs());
    await sleep(systemClock, intervalMs - (intervalMs === 0 ? 0 : passedMs % intervalMs));
    this.#isNewInterval = true;
  }
}
