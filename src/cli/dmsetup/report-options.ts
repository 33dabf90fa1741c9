/** The options that every report takes, from the words of the command line to the report. */

import type { ReportOptions } from '../report/report.ts';
import type { DmsetupOptions, OptionName } from './options.ts';

export const REPORT_OPTIONS = [
  'options',
  'sort',
  'select',
  'noheadings',
  'nameprefixes',
  'unquoted',
  'rows',
  'separator',
] as const satisfies OptionName[];

export function reportOptions(options: DmsetupOptions): ReportOptions {
  const { options: fields, sort, select: selection, separator } = options;
  return {
    ...(fields !== undefined && { fields }),
    ...(sort !== undefined && { sort }),
    ...(selection !== undefined && { selection }),
    ...(separator !== undefined && { separator }),
    noheadings: options.noheadings ?? false,
    nameprefixes: options.nameprefixes ?? false,
    unquoted: options.unquoted ?? false,
    rows: options.rows ?? false,
  };
}
