/** What dmstats computes from counters and the time since they were last set to zero. Counters become floating point as they do there. */

import { percentOf, roundedPercent } from './number-text.ts';
import { counterOf, type StatisticsRow } from './rows.ts';

const NS_PER_S = 1e9;
const NS_PER_MS = 1e6;

function numberOf(row: StatisticsRow, name: Parameters<typeof counterOf>[1]): number {
  return Number(counterOf(row, name));
}

export function perSecond(row: StatisticsRow, name: Parameters<typeof counterOf>[1]): number {
  return numberOf(row, name) / (Number(row.intervalNs) / NS_PER_S);
}

function requestCount(row: StatisticsRow): number {
  return numberOf(row, 'reads') + numberOf(row, 'writes');
}

export function requestSectors(row: StatisticsRow): number {
  const count = requestCount(row);
  return count > 0 ? (numberOf(row, 'readSectors') + numberOf(row, 'writeSectors')) / count : 0;
}

/** How many requests were under way on average. */
export function queueSize(row: StatisticsRow): number {
  return numberOf(row, 'weightedIoNs') / Number(row.intervalNs);
}

export function waitMs(row: StatisticsRow, kinds: 'both' | 'read' | 'write'): number {
  const reads = kinds === 'write' ? 0 : numberOf(row, 'reads');
  const writes = kinds === 'read' ? 0 : numberOf(row, 'writes');
  const readNs = kinds === 'write' ? 0 : numberOf(row, 'readNs');
  const writeNs = kinds === 'read' ? 0 : numberOf(row, 'writeNs');
  return reads + writes > 0 ? (readNs + writeNs) / (reads + writes) / NS_PER_MS : 0;
}

export function throughput(row: StatisticsRow): number {
  return (NS_PER_S * requestCount(row)) / Number(row.intervalNs);
}

/** The part of the time in which something was under way, 0 to 1. */
function busyPart(row: StatisticsRow): number {
  const intervalNs = Number(row.intervalNs);
  return Math.min(numberOf(row, 'ioNs'), intervalNs) / intervalNs;
}

export function utilizationPercent(row: StatisticsRow): number {
  return roundedPercent(percentOf(Math.trunc(1e6 * busyPart(row)), 1e6));
}

/** dmstats takes whole percents for millionths of percents here, so that there is hardly ever more than zero. */
export function serviceTimeMs(row: StatisticsRow): number {
  const requests = throughput(row);
  const percent = Math.trunc(busyPart(row) * 100);
  if (Math.trunc(requests) === 0 || percent === 0) return 0;
  return (NS_PER_S * Math.fround(percent / 1e6)) / (100 * requests) / NS_PER_MS;
}
