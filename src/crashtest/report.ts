/** What a search found, as data (JSON) and for CI systems (JUnit). */

import { type CrashLog, describeEntry } from './crash-log.ts';
import { formatState } from './crash-state.ts';
import type { LogWindows } from './log-windows.ts';
import type { BadState, SearchResult } from './search.ts';

/** Of the writes that could have been lost. */
export interface ReportedWrite {
  entry: number;
  kind: string;
  sector: number;
  sectorCount: number;
  timeMs: number | null;
  /** Sectors of it that reached the disk, `first-last`; null: it is there whole, or not at all. */
  kept: string[] | null;
  text: string;
}

export interface ReportedFailure {
  /** Brings the state back. */
  state: string;
  /** As it was found first. */
  foundAs: string;
  /** So many entries of the log had ended. */
  point: number;
  timeMs: number | null;
  mark: string | null;
  /** Which of the two lists is the smallest set that makes the check fail. */
  smallest: 'survived' | 'lost';
  survived: ReportedWrite[];
  lost: ReportedWrite[];
  repeatable: boolean;
  output: string;
}

export interface CrashReport extends Omit<SearchResult, 'failures'> {
  seed: number;
  sizeSectors: number;
  entryCount: number;
  failures: ReportedFailure[];
}

export function reportOf(
  windows: LogWindows,
  result: SearchResult,
  facts: { seed: number },
): CrashReport {
  const { log } = windows;
  return {
    ...result,
    ...facts,
    elapsedMs: Math.round(result.elapsedMs),
    sizeSectors: log.sizeSectors,
    entryCount: log.entries.length,
    failures: result.failures.map((failure) => reportedFailure(windows, failure)),
  };
}

function reportedFailure(windows: LogWindows, failure: BadState): ReportedFailure {
  const { state, side, mark, output, foundWord, isRepeatable } = failure;
  const { log } = windows;
  const whole = new Set(
    state.survivors.filter(({ kept }) => kept === null).map(({ number }) => number),
  );
  const keptOf = new Map(state.survivors.map(({ number, kept }) => [number, kept]));
  const lost = windows.losable(state.point).filter((number) => !whole.has(number));
  return {
    state: formatState(windows, state),
    foundAs: foundWord,
    point: state.point,
    timeMs: state.point === 0 ? null : log.entries.at(state.point - 1).timeMs,
    mark,
    smallest: side,
    survived: state.survivors.map(({ number }) => reportedWrite(log, number, keptOf)),
    lost: lost.map((number) => reportedWrite(log, number, keptOf)),
    repeatable: isRepeatable,
    output,
  };
}

function reportedWrite(
  log: CrashLog,
  number: number,
  keptOf: ReadonlyMap<number, BadState['state']['survivors'][number]['kept']>,
): ReportedWrite {
  const { kind, sector, sectorCount, timeMs } = log.entries.at(number);
  const kept = keptOf.get(number) ?? null;
  const ranges = kept?.map(({ start, end }) => `${sector + start}-${sector + end - 1}`) ?? null;
  const part = ranges === null ? '' : `; of it reached the disk: ${ranges.join(', ')}`;
  const text = `${describeEntry(log, number)}${part}`;
  return { entry: number, kind, sector, sectorCount, timeMs, kept: ranges, text };
}

/** One test case for the search, one for each failure. */
export function junitReport(report: CrashReport, commandOf: (state: string) => string): string {
  const seconds = (report.elapsedMs / 1000).toFixed(3);
  const cases = report.failures.map((failure) => {
    const details = [
      ...failureLines(failure),
      `Again: ${commandOf(failure.state)}`,
      failure.output,
    ];
    return [
      `    <testcase classname="crashtest" name="${escaped(`state ${failure.state}`)}" time="0">`,
      `      <failure message="${escaped(headline(failure))}">${escaped(details.join('\n'))}</failure>`,
      '    </testcase>',
    ].join('\n');
  });
  if (cases.length === 0) {
    cases.push(
      `    <testcase classname="crashtest" name="${report.stateCount} states after a power cut" time="${seconds}"/>`,
    );
  }
  const count = `tests="${cases.length}" failures="${report.failures.length}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${count} time="${seconds}">`,
    `  <testsuite name="devmapper crashtest" ${count} errors="0" time="${seconds}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** Of a long list so many are shown. */
const SHOWN_WRITES = 12;

export function headline({ point, timeMs, mark }: ReportedFailure): string {
  const time = timeMs === null ? '' : `, ${(timeMs / 1000).toFixed(3)} s after the start`;
  const after = mark === null ? '' : `, after the mark "${mark}"`;
  if (point === 0) return 'The check fails on the disk as it was before anything was written';
  return `The check fails after a power cut behind entry ${point - 1} of the log${time}${after}`;
}

/** For people: the writes that matter. */
export function failureLines(failure: ReportedFailure): string[] {
  const { smallest, survived, lost, repeatable } = failure;
  const lines: string[] = [];
  if (!repeatable) {
    lines.push(
      'A second look at the same state found nothing wrong: the check depends on more than the disk.',
    );
  }
  if (failure.point === 0) {
    lines.push(
      'Let it accept that disk as long as there is no mark, or make the disk usable first: --setup.',
    );
  } else if (survived.length === 0 && lost.length === 0) {
    lines.push('Nothing was lost: everything the workload wrote by then is there.');
  } else if (smallest === 'lost') {
    lines.push(`It is enough that ${countOf(lost)} lost, though all else is there:`, ...list(lost));
  } else if (survived.length === 0) {
    lines.push(`Nothing that was not flushed is there; ${countOf(lost)} lost:`, ...list(lost));
  } else {
    lines.push(`It is enough that ${countOf(survived)} there:`, ...list(survived));
    if (lost.length > 0) lines.push(`while ${countOf(lost)} not, or not whole:`, ...list(lost));
  }
  return lines;
}

function countOf({ length }: { length: number }): string {
  return length === 1 ? '1 unflushed write is' : `${length} unflushed writes are`;
}

function list(writes: readonly ReportedWrite[]): string[] {
  const lines = writes.slice(0, SHOWN_WRITES).map(({ text }) => `  ${text}`);
  const rest = writes.length - lines.length;
  return rest > 0 ? [...lines, `  and ${rest} more`] : lines;
}

function escaped(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return (
    text
      // What XML 1.0 has no way to say.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replaceAll(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '?')
      .replaceAll(/[&<>"]/g, (character) => entities[character]!)
  );
}
