/** Time and memory of one small operation, repeated. */

import { median, spread } from '../statistics.ts';

/** `count` operations at once, so that calling the closure costs nothing per operation. */
export type Repeat = (count: number) => void;

export interface Cost {
  nsPerOp: number;
  /** (max - min) / median of the runs. */
  spread: number;
  /** Heap that grew per operation; null without --expose-gc. */
  bytesPerOp: number | null;
}

export interface MeasureOptions {
  runs: number;
  /** Of one run. */
  milliseconds: number;
}

/** Costs of several operations whose runs take turns: for comparing them with each other. */
export function measureTogether(repeats: readonly Repeat[], options: MeasureOptions): Cost[] {
  const counts = repeats.map((repeat) => calibrate(repeat, options.milliseconds));
  const times: number[][] = repeats.map(() => []);
  for (let run = 0; run < options.runs; run += 1) {
    repeats.forEach((repeat, index) => {
      times[index]!.push(timePerOp(repeat, counts[index]!));
    });
  }
  return repeats.map((repeat, index) => ({
    nsPerOp: median(times[index]!),
    spread: spread(times[index]!),
    bytesPerOp: bytesPerOp(repeat, counts[index]!),
  }));
}

/** How many operations fill the time, and on the way there the compiler has seen enough of them. */
function calibrate(repeat: Repeat, milliseconds: number): number {
  let count = 1000;
  for (;;) {
    const ms = (timePerOp(repeat, count) * count) / 1e6;
    if (ms >= milliseconds / 2) return Math.ceil((count * milliseconds) / ms);
    count *= 2;
  }
}

/** Processor time, so that neither other processes nor a stolen processor count. */
function timePerOp(repeat: Repeat, count: number): number {
  const before = process.cpuUsage();
  repeat(count);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1e3) / count;
}

/** Enough to see one allocation per operation, few enough that no collection comes between. */
const HEAP_COUNT = 20_000;

function bytesPerOp(repeat: Repeat, calibrated: number): number | null {
  const { gc } = globalThis;
  if (gc === undefined) return null;
  const count = Math.min(HEAP_COUNT, calibrated);
  repeat(count);
  const samples = Array.from({ length: 5 }, () => {
    gc();
    const before = process.memoryUsage().heapUsed;
    repeat(count);
    return (process.memoryUsage().heapUsed - before) / count;
  });
  // Whatever else allocated now and then is not in every sample.
  return Math.max(0, Math.min(...samples));
}
