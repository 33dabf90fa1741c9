/** Devices to report on, for the tests of reports: what the kernel's dmsetup printed for the same ones is in their tables. */

import { type Field, FieldFailure, type FieldGroup } from './field.ts';
import { Report, type ReportOptions } from './report.ts';
import { ReportError } from './report-error.ts';

interface Sample {
  name: string;
  uuid: string;
  open: number | bigint;
  minor: number;
  /** null: cannot be told. */
  node: string | null;
  tags: string[];
  sizeSectors: number;
  usedPercent: number;
}

const NAME: FieldGroup = { prefix: 'name', title: 'Mapped Device Name' };
const INFO: FieldGroup = { prefix: 'info', title: 'Mapped Device Information' };

export const samples: readonly Sample[] = [
  ['base', 'UUID-base', 3, 0, ['a', 'b', 'cc'], 2048, 10],
  ['both', '', 0, 8, [], 100, 0],
  ['held', 'mpath-x', 1, 11, ['a'], 4_194_304, 99.5],
  ['mid', '', 1, 2, [], 2048, 100],
  ['we ird', 'u u', 0, 5, ['x y'], 0, 50],
].map(([name, uuid, open, minor, tags, sizeSectors, usedPercent]) => ({
  ...({ name, uuid, open, minor, tags, sizeSectors, usedPercent } as Omit<Sample, 'node'>),
  node: `dm-${String(minor)}`,
}));

const fields: readonly Field<Sample>[] = [
  {
    group: NAME,
    id: 'name',
    heading: 'Name',
    widthBytes: 8,
    type: 'string',
    description: 'Name of mapped device.',
    value: ({ name }) => name,
  },
  {
    group: NAME,
    id: 'uuid',
    heading: 'UUID',
    widthBytes: 10,
    type: 'string',
    description: 'Unique (optional) identifier for mapped device.',
    value: ({ uuid }) => uuid,
  },
  {
    group: INFO,
    id: 'open',
    heading: 'Open',
    widthBytes: 4,
    type: 'number',
    description: 'Number of references to open device, if requested.',
    value: ({ open }) => open,
  },
  {
    group: INFO,
    id: 'minor_number',
    heading: 'Min',
    widthBytes: 3,
    type: 'number',
    description: 'Block device minor number.',
    value: ({ minor }) => minor,
  },
  {
    group: INFO,
    id: 'node',
    heading: 'Node',
    widthBytes: 4,
    type: 'string',
    description: 'Name of block device.',
    value({ node, minor }) {
      if (node === null) throw new FieldFailure(`Could not resolve 252:${minor}.`);
      return node === '' ? undefined : node;
    },
  },
  {
    group: INFO,
    id: 'tags',
    heading: 'Tags',
    widthBytes: 4,
    type: 'string list',
    description: 'Tags, if any.',
    value: ({ tags }) => tags,
  },
  {
    group: INFO,
    id: 'size',
    heading: 'Size',
    widthBytes: 6,
    type: 'size',
    description: 'Size of the device.',
    value: ({ sizeSectors }) => ({ text: `${sizeSectors / 2}k`, key: sizeSectors }),
  },
  {
    group: INFO,
    id: 'used',
    heading: 'Used%',
    widthBytes: 5,
    type: 'percent',
    description: 'How full it is.',
    value: ({ usedPercent }) => ({ text: usedPercent.toFixed(2), key: usedPercent }),
  },
];

export interface ReportRun {
  out: string;
  error: string;
  failed: boolean;
}

export function openReport(options: ReportOptions) {
  const run = { out: '', error: '' };
  const shape = { fields, groupsOfAll: [NAME, INFO], columns: 'name,open', sort: '' };
  const report = new Report(shape, options, {
    out: (text) => {
      run.out += text;
    },
    error: (text) => {
      run.error += text;
    },
  });
  return { report, run, NAME, INFO };
}

/** What a report of all samples prints; a refused one fails with its text as `error`. */
export function runReport(options: ReportOptions, rows = samples): ReportRun {
  try {
    const { report, run } = openReport(options);
    for (const row of rows) report.add(row);
    report.end();
    return { ...run, failed: report.failed };
  } catch (error) {
    if (!(error instanceof ReportError)) throw error;
    return { out: '', error: error.text, failed: true };
  }
}
