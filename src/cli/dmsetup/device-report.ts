/** The report of devices: its fields and columns, and where its facts come from. */

import type { DmClient } from '../../control/client/dm-client.ts';
import type { Field } from '../report/field.ts';
import { Report, type ReportShape } from '../report/report.ts';
import { COUNTER_FIELDS, REGION_FIELDS, statisticsFields } from '../stats/fields.ts';
import { parseUnits } from '../stats/size-text.ts';
import { type DeviceFacts, FactReader } from './info-facts.ts';
import {
  DEPENDENCY_FIELDS,
  deviceFields,
  INFO_FIELDS,
  NAME_FIELDS,
  SPLIT_FIELDS,
  TREE_FIELDS,
} from './info-fields.ts';
import { manglingMode } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { REPORT_SINK } from './print.ts';
import { reportOptions } from './report-options.ts';

const COLUMNS = 'name,major,minor,attr,open,segments,events,uuid';

/** All fields of dmsetup, because its help lists all; those of statistics have no value here. */
function allFields(): Field<DeviceFacts>[] {
  const style = { units: parseUnits('h')!, timeSuffix: true, aligned: true };
  const statistics = statisticsFields(style).map((field) => ({ ...field, value: () => undefined }));
  return [...deviceFields<DeviceFacts>((facts) => facts), ...statistics];
}

export function openDeviceReport(
  shape: Partial<ReportShape<DeviceFacts>>,
  options: DmsetupOptions,
): Report<DeviceFacts> {
  const usual: ReportShape<DeviceFacts> = {
    fields: allFields(),
    groupsOfAll: [
      NAME_FIELDS,
      INFO_FIELDS,
      DEPENDENCY_FIELDS,
      TREE_FIELDS,
      SPLIT_FIELDS,
      COUNTER_FIELDS,
      REGION_FIELDS,
    ],
    columns: COLUMNS,
    sort: '',
  };
  return new Report({ ...usual, ...shape }, reportOptions(options), REPORT_SINK);
}

/** Reads of each device what the report has a column for. */
export function openReader(
  client: DmClient,
  report: Pick<Report<never>, 'uses'>,
  options: DmsetupOptions,
): Promise<FactReader> {
  const wanted = {
    readAhead: report.uses(NAME_FIELDS),
    blockName: report.uses(INFO_FIELDS),
    dependencies: report.uses(DEPENDENCY_FIELDS),
    tree: report.uses(TREE_FIELDS),
  };
  return FactReader.open(client, wanted, { options, mangling: manglingMode(options) });
}
