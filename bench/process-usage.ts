/** What a process and its descendants used, from /proc: CPU time of all threads, peak resident memory. */

import { readdirSync, readFileSync } from 'node:fs';

export interface Usage {
  cpuSeconds: number;
  /** VmHWM, summed over the processes. */
  peakBytes: number;
}

/** USER_HZ, which Linux fixes at 100 for every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

export function readUsage(pid: number): Usage {
  const usage: Usage = { cpuSeconds: 0, peakBytes: 0 };
  for (const member of processTree(pid)) {
    const stat = readStat(member);
    if (stat === null) continue;
    usage.cpuSeconds += stat.cpuTicks / TICKS_PER_SECOND;
    usage.peakBytes += readPeakBytes(member);
  }
  return usage;
}

/**
 * CPU seconds that everything but this process and its descendants has used since boot, stolen time included. Its
 * growth during a measurement is what disturbed it.
 */
export function readForeignCpuSeconds(): number {
  const fields = (readProcFile('/proc/stat') ?? '')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const [user, nice, system, , , irq, softirq, steal] = fields as [number, ...number[]];
  const ticks = user + nice! + system! + irq! + softirq! + steal!;
  return ticks / TICKS_PER_SECOND - readUsage(process.pid).cpuSeconds;
}

function processTree(pid: number): number[] {
  const tree = [pid];
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : null;
    if (stat !== null) parents.set(Number(name), stat.parent);
  }
  for (const member of tree) {
    for (const [child, parent] of parents) if (parent === member) tree.push(child);
  }
  return tree;
}

/** null: the process ended meanwhile. Children that ended and were waited for count as their parent's. */
function readStat(pid: number): { parent: number; cpuTicks: number } | null {
  const text = readProcFile(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The second field is a name in parentheses that may itself hold spaces and parentheses.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [utime, stime, childUtime, childStime] = fields.slice(11, 15);
  return {
    parent: fields[1]!,
    cpuTicks: utime! + stime! + childUtime! + childStime!,
  };
}

function readPeakBytes(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readProcFile(`/proc/${pid}/status`) ?? '');
  return match ? Number(match[1]) * 1024 : 0;
}

function readProcFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
