/** The columns of `devmapper stats list` and `report`: names, headings and widths are dmstats'. */

import {
  type Field,
  type FieldGroup,
  type FieldLine,
  type FieldValue,
  fieldOfLine,
} from '../report/field.ts';
import { type HistogramStyle, histogramText } from './histogram.ts';
import {
  perSecond,
  queueSize,
  requestSectors,
  serviceTimeMs,
  throughput,
  utilizationPercent,
  waitMs,
} from './metrics.ts';
import { type CounterName, countAreas } from './model.ts';
import { twoDigits } from './number-text.ts';
import {
  areaLengthOf,
  areaOffsetOf,
  areaStartOf,
  counterOf,
  histogramOf,
  lengthOf,
  nameOf,
  regionIdText,
  type StatisticsRow,
} from './rows.ts';
import { formatSectors, type Units } from './size-text.ts';

/** Needs the counters. */
export const COUNTER_FIELDS: FieldGroup = { prefix: 'stats', title: 'Mapped Device Statistics' };
export const REGION_FIELDS: FieldGroup = {
  prefix: 'region',
  title: 'Mapped Device Statistics Region Information',
};

/** What holds for a whole report. */
export interface FieldStyle {
  units: Units;
  /** Of histograms. */
  timeSuffix: boolean;
  aligned: boolean;
}

type StatisticsField = Field<StatisticsRow>;
type Value = (row: StatisticsRow, style: FieldStyle) => FieldValue;
type Line = FieldLine<Value>;

const COUNTERS: readonly Line[] = [
  ['read_count', '#Reads', 6, 'number', counter('reads'), 'Count of reads completed.'],
  [
    'reads_merged_count',
    '#RdMrgs',
    7,
    'number',
    counter('readsMerged'),
    'Count of read requests merged.',
  ],
  [
    'read_sector_count',
    '#RdSectors',
    10,
    'number',
    counter('readSectors'),
    'Count of sectors read.',
  ],
  [
    'read_time',
    'AccRdTime',
    11,
    'number',
    counter('readNs'),
    'Accumulated duration of all read requests (ns).',
  ],
  ['write_count', '#Writes', 7, 'number', counter('writes'), 'Count of writes completed.'],
  [
    'writes_merged_count',
    '#WrMrgs',
    7,
    'number',
    counter('writesMerged'),
    'Count of write requests merged.',
  ],
  [
    'write_sector_count',
    '#WrSectors',
    10,
    'number',
    counter('writeSectors'),
    'Count of sectors written.',
  ],
  [
    'write_time',
    'AccWrTime',
    11,
    'number',
    counter('writeNs'),
    'Accumulated duration of all writes (ns).',
  ],
  [
    'in_progress_count',
    '#InProg',
    7,
    'number',
    counter('inProgress'),
    'Count of requests currently in progress.',
  ],
  ['io_ticks', 'IoTicks', 7, 'number', counter('ioNs'), 'Nanoseconds spent servicing requests.'],
  [
    'queue_ticks',
    'QueueTicks',
    10,
    'number',
    counter('weightedIoNs'),
    'Total nanoseconds spent in queue.',
  ],
  [
    'read_ticks',
    'RdTicks',
    7,
    'number',
    counter('totalReadNs'),
    'Nanoseconds spent servicing reads.',
  ],
  [
    'write_ticks',
    'WrTicks',
    7,
    'number',
    counter('totalWriteNs'),
    'Nanoseconds spent servicing writes.',
  ],
];

const METRICS: readonly Line[] = [
  [
    'reads_merged_per_sec',
    'RMrg/s',
    6,
    'number',
    decimal((row) => perSecond(row, 'readsMerged')),
    'Read requests merged per second.',
  ],
  [
    'writes_merged_per_sec',
    'WMrg/s',
    6,
    'number',
    decimal((row) => perSecond(row, 'writesMerged')),
    'Write requests merged per second.',
  ],
  [
    'reads_per_sec',
    'R/s',
    3,
    'number',
    decimal((row) => perSecond(row, 'reads')),
    'Reads per second.',
  ],
  [
    'writes_per_sec',
    'W/s',
    3,
    'number',
    decimal((row) => perSecond(row, 'writes')),
    'Writes per second.',
  ],
  [
    'read_size_per_sec',
    'RSz/s',
    5,
    'number',
    size((row) => perSecond(row, 'readSectors')),
    'Size of data read per second.',
  ],
  [
    'write_size_per_sec',
    'WSz/s',
    5,
    'number',
    size((row) => perSecond(row, 'writeSectors')),
    'Size of data written per second.',
  ],
  ['avg_request_size', 'AvgRqSz', 7, 'number', size(requestSectors), 'Average request size.'],
  ['queue_size', 'QSize', 5, 'number', decimal(queueSize), 'Average queue size.'],
  ['await', 'AWait', 5, 'number', decimal((row) => waitMs(row, 'both')), 'Averate wait time.'],
  [
    'read_await',
    'RdAWait',
    7,
    'number',
    decimal((row) => waitMs(row, 'read')),
    'Averate read wait time.',
  ],
  [
    'write_await',
    'WrAWait',
    7,
    'number',
    decimal((row) => waitMs(row, 'write')),
    'Averate write wait time.',
  ],
  ['throughput', 'Throughput', 10, 'number', decimal(throughput), 'Throughput.'],
  ['service_time', 'SvcTm', 5, 'number', decimal(serviceTimeMs), 'Service time.'],
  ['util', 'Util%', 5, 'number', decimal(utilizationPercent), 'Utilization.'],
];

const HISTOGRAMS: readonly Line[] = [
  [
    'hist_count',
    'Histogram Counts',
    16,
    'string',
    histogram('counts', 'none'),
    'Latency histogram counts.',
  ],
  [
    'hist_count_bounds',
    'Histogram Counts',
    16,
    'string',
    histogram('counts', 'lower'),
    'Latency histogram counts with bin boundaries.',
  ],
  [
    'hist_count_ranges',
    'Histogram Counts',
    16,
    'string',
    histogram('counts', 'range'),
    'Latency histogram counts with bin ranges.',
  ],
  [
    'hist_percent',
    'Histogram%',
    10,
    'string',
    histogram('percent', 'none'),
    'Relative latency histogram.',
  ],
  [
    'hist_percent_bounds',
    'Histogram%',
    10,
    'string',
    histogram('percent', 'lower'),
    'Relative latency histogram with bin boundaries.',
  ],
  [
    'hist_percent_ranges',
    'Histogram%',
    10,
    'string',
    histogram('percent', 'range'),
    'Relative latency histogram with bin ranges.',
  ],
  [
    'interval_ns',
    'IntervalNs',
    10,
    'number',
    (row) => row.intervalNs,
    'Sampling interval in nanoseconds.',
  ],
  ['interval', 'Interval', 8, 'number', intervalSeconds, 'Sampling interval.'],
];

const REGIONS: readonly Line[] = [
  [
    'region_id',
    'RgID',
    4,
    'number',
    (row) => ({ text: regionIdText(row), key: row.region.id }),
    'Region ID.',
  ],
  ['region_start', 'RgStart', 7, 'size', size((row) => row.region.start), 'Region start.'],
  ['region_len', 'RgSize', 6, 'size', size(lengthOf), 'Region length.'],
  ['area_id', 'ArID', 4, 'number', (row) => (row.kind === 'area' ? row.area : 0), 'Area ID.'],
  ['area_start', 'ArStart', 7, 'size', size(areaStartOf), 'Area offset from start of device.'],
  ['area_len', 'ArSize', 6, 'size', size(areaLengthOf), 'Area length.'],
  ['area_offset', 'ArOff', 5, 'size', size(areaOffsetOf), 'Area offset from start of region.'],
  [
    'area_count',
    '#Areas',
    6,
    'number',
    (row) => (row.kind === 'group' ? 1 : countAreas(row.region)),
    'Area count.',
  ],
  ['group_id', 'GrpID', 5, 'number', groupId, 'Group ID.'],
  ['program_id', 'ProgID', 6, 'string', (row) => row.region.programId, 'Program ID.'],
  [
    'user_data',
    'UserData',
    8,
    'string',
    (row) => (row.kind === 'group' ? '' : row.region.userData),
    'Auxiliary data.',
  ],
  [
    'precise',
    'Precise',
    7,
    'string',
    (row) => (row.region.precise ? '1' : '0'),
    'Set if nanosecond precision counters are enabled.',
  ],
  ['hist_bins', '#Bins', 9, 'string', binCount, 'The number of histogram bins configured.'],
  [
    'hist_bounds',
    'Histogram Bounds',
    16,
    'string',
    histogram('none', 'lower'),
    'Latency histogram bin boundaries.',
  ],
  [
    'hist_ranges',
    'Histogram Ranges',
    16,
    'string',
    histogram('none', 'range'),
    'Latency histogram bin ranges.',
  ],
  ['stats_name', 'Name', 16, 'string', nameOf, 'Stats name of current object.'],
  ['obj_type', 'ObjType', 7, 'string', (row) => row.kind, 'Type of stats object being reported.'],
];

export function statisticsFields(style: FieldStyle): StatisticsField[] {
  const fieldsOf = (group: FieldGroup, lines: readonly Line[]): StatisticsField[] =>
    lines.map((line) => fieldOfLine(group, line, (value, row) => value(row, style)));
  return [
    ...fieldsOf(COUNTER_FIELDS, [...COUNTERS, ...METRICS, ...HISTOGRAMS]),
    ...fieldsOf(REGION_FIELDS, REGIONS),
  ];
}

function counter(name: CounterName): Value {
  return (row) => counterOf(row, name);
}

function decimal(compute: (row: StatisticsRow) => number): Value {
  return (row) => {
    const key = compute(row);
    return { text: twoDigits(key), key };
  };
}

function size(compute: (row: StatisticsRow) => bigint | number): Value {
  return (row, { units }) => {
    const key = compute(row);
    const sectors = typeof key === 'bigint' ? key : BigInt(Math.trunc(key));
    return { text: formatSectors(sectors, units), key };
  };
}

function histogram(values: HistogramStyle['values'], bounds: HistogramStyle['bounds']): Value {
  return (row, { timeSuffix, aligned }) => {
    const found = histogramOf(row);
    if (found === null) return '';
    return histogramText(found, { values, bounds, suffix: timeSuffix, aligned });
  };
}

function intervalSeconds({ intervalNs }: StatisticsRow): FieldValue {
  const key = Number(intervalNs) / 1e9;
  return { text: key.toFixed(6), key };
}

function groupId({ region: { groupId: id } }: StatisticsRow): FieldValue {
  // What a region without a group sorts by is the largest number there is.
  return id === null ? { text: '-', key: 2n ** 64n - 1n } : id;
}

function binCount({ kind, region: { boundsNs } }: StatisticsRow): FieldValue {
  if (kind === 'group' || boundsNs.length === 0) return '0';
  return String(boundsNs.length + 1);
}
