/** `npm run bench`: see HELP in options.ts and docs/benchmarks.md. */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { judgeComparisons, judgeMemory, judgeRows } from './bars.ts';
import { measureComparisons } from './comparisons.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import {
  formatBars,
  formatComparisons,
  formatCosts,
  formatDisturbance,
  formatRows,
} from './report.ts';
import { killServers } from './servers.ts';
import { meanRatio, measureSideBySide, summarizeCosts, summarizeRows } from './side-by-side.ts';
import { requirePrograms } from './tools.ts';

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function compareServers(options: Options, folder: string): Promise<boolean> {
  requirePrograms(['fio', 'nbdcopy', 'cmp']);
  if (options.servers.some((name) => name.startsWith('nbdkit'))) requirePrograms(['nbdkit']);
  if (options.servers.includes('qemu-nbd')) requirePrograms(['qemu-nbd']);
  const common = { ...options, folder };
  const sideBySide = options.rows.length > 0 ? await measureSideBySide(common) : null;
  const comparisons = options.comparisons.length > 0 ? await measureComparisons(common) : null;
  const rows = sideBySide ? summarizeRows(options.rows, sideBySide) : [];
  const costs = sideBySide ? summarizeCosts(sideBySide) : [];
  const bars = options.quick
    ? []
    : [
        ...judgeRows(rows),
        ...(comparisons ? judgeComparisons(comparisons) : []),
        ...judgeMemory(sideBySide, comparisons),
      ];
  if (options.json) {
    const { measurements = [] } = sideBySide ?? {};
    const summary = rows.map(({ row, rates, ratio }) => ({
      row: row.id,
      unit: row.unit,
      rates: Object.fromEntries(rates),
      ratio,
    }));
    const mean = meanRatio(rows);
    print(JSON.stringify({ rows: summary, mean, costs, comparisons, bars, measurements }, null, 2));
  } else {
    const parts = [
      ...(rows.length > 0 ? [formatRows(rows), formatCosts(costs)] : []),
      ...(sideBySide ? [formatDisturbance(sideBySide.measurements)] : []),
      ...(comparisons ? [formatComparisons(comparisons)] : []),
      ...(bars.length > 0 ? [formatBars(bars)] : []),
    ];
    print(parts.join('\n\n'));
  }
  return bars.every(({ passed }) => passed);
}

/** Nothing of half a GiB in memory may stay behind. */
function cleanUpOnSignal(folder: string): void {
  for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15 })) {
    process.on(signal, () => {
      killServers();
      rmSync(folder, { recursive: true, force: true });
      process.exit(128 + number);
    });
  }
}

/** Whether every bar was kept. */
async function main(options: Options): Promise<boolean> {
  if (options.mode === 'help') {
    print(HELP);
    return true;
  }
  if (options.mode === 'micro') {
    const { runMicro } = await import('./micro/run.ts');
    return runMicro(options);
  }
  if (options.mode === 'cipher') {
    const { runCipher } = await import('./cipher.ts');
    return await runCipher(options);
  }
  const folder = mkdtempSync(join(options.dir, 'devmapper-bench-'));
  cleanUpOnSignal(folder);
  try {
    if (options.mode === 'isolation') {
      const { runIsolation } = await import('./isolation.ts');
      return await runIsolation({ ...options, folder });
    }
    if (options.mode === 'fuse') {
      const { runFuse } = await import('./fuse.ts');
      return await runFuse({ ...options, folder });
    }
    if (options.mode === 'control') {
      const { runControl } = await import('./control.ts');
      return await runControl({ ...options, folder });
    }
    if (options.mode === 'luks') {
      const { runLuks } = await import('./luks.ts');
      return await runLuks({ ...options, folder });
    }
    if (options.mode === 'reencrypt') {
      const { runReencryptBench } = await import('./reencrypt.ts');
      return await runReencryptBench({ ...options, folder });
    }
    if (options.mode === 'crashtest') {
      const { runCrashtestBench } = await import('./crashtest.ts');
      return await runCrashtestBench({ ...options, folder });
    }
    if (options.mode === 'snapshot') {
      const { runSnapshot } = await import('./snapshot.ts');
      return await runSnapshot({ ...options, folder });
    }
    return await compareServers(options, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  const passed = await main(options);
  if (options.check && !passed) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
