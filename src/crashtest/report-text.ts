/** What a search found, for people. */

import { formatBytes, sectorsToBytes } from '../base/units.ts';
import { type CrashReport, failureLines, headline, type ReportedFailure } from './report.ts';

const ENDINGS = {
  found: '',
  budget: ', until the budget was spent',
  exhausted: ', until nothing new came',
  interrupted: ', until it was interrupted',
};

/** `again`: how the state of a failure is brought back; null: not at all. */
export function reportText(
  report: CrashReport,
  again: (failure: ReportedFailure) => string | null,
): string {
  const lines = report.failures.flatMap((failure) => {
    const how = again(failure);
    return [
      `BAD: ${headline(failure)}.`,
      ...failureLines(failure),
      'The check said:',
      ...failure.output.split('\n').map((line) => `  ${line}`),
      ...(how === null ? [] : ['Bring the state back with:', `  ${how}`]),
      '',
    ];
  });
  return `${[...lines, ...totals(report)].join('\n')}\n`;
}

function totals(report: CrashReport): string[] {
  const { stateCount, duplicateCount, elapsedMs, entryCount, pointCount, reachedPointCount } =
    report;
  const rate = Math.round((stateCount * 1000) / Math.max(elapsedMs, 1));
  const bad = report.failures.length === 0 ? 'no bad state' : `${report.failures.length} bad`;
  const size = formatBytes(sectorsToBytes(report.sizeSectors));
  const lines = [
    `${bad} in ${stateCount} states of a disk of ${size} (${rate}/s, ${duplicateCount} more were equal to one of them)${ENDINGS[report.ended]}; log of ${entryCount} entries, seed ${report.seed}`,
  ];
  if (report.ended !== 'found' && reachedPointCount < pointCount) {
    lines.push(
      `Of ${pointCount} places at flushes, FUA and marks ${pointCount - reachedPointCount} were not reached: a larger budget reaches them`,
    );
  }
  return lines;
}
