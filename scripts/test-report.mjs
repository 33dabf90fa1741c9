/**
 * Reads what test runs left in a folder (one JSON report of vitest's per run, see test.mjs) and adds it up.
 *
 *   node scripts/test-report.mjs FOLDER [FAILED-STEP...]
 *
 * is the verdict of CI: names every failed and every skipped test, counts a skipped one and a failed step (`lint` ...) as
 * failed, and ends with the line `N passed, N failed`.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The names of the tests of one run by how they ended. `status` is vitest's exit status. */
export function readReport(path, label, status) {
  const result = { label, passed: 0, failed: [], skipped: [] };
  const report = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { testResults: [] };
  for (const file of report.testResults) {
    const failedBefore = result.failed.length;
    for (const { status: outcome, fullName } of file.assertionResults) {
      const name = `${label}: ${file.name.replace(`${process.cwd()}/`, '')}: ${fullName.trim()}`;
      if (outcome === 'passed') result.passed += 1;
      else if (outcome === 'failed') result.failed.push(name);
      else result.skipped.push(name);
    }
    // A file that does not load, or whose hooks fail, has no failed test to show for it.
    if (file.status === 'failed' && result.failed.length === failedBefore) {
      result.failed.push(`${label}: ${file.name}: ${file.message.split('\n')[0]}`);
    }
  }
  if (status !== 0 && result.failed.length === 0) {
    result.failed.push(`${label}: vitest ended with status ${status} (an error outside the tests)`);
  }
  return result;
}

/** All runs of a folder: `unit.json` with `unit.status` beside it, and so on. */
export function readReports(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.status'))
    .sort()
    .map((name) => {
      const label = name.slice(0, -'.status'.length);
      const status = Number(readFileSync(join(folder, name), 'utf8'));
      return readReport(join(folder, `${label}.json`), label, status);
    });
}

export function addUp(reports) {
  return {
    passed: reports.reduce((sum, report) => sum + report.passed, 0),
    failed: reports.flatMap((report) => report.failed),
    skipped: reports.flatMap((report) => report.skipped),
  };
}

function main([folder, ...failedSteps]) {
  const { passed, failed, skipped } = addUp(readReports(folder));
  for (const step of failedSteps) console.log(`failed step: ${step}`);
  for (const name of failed) console.log(`failed: ${name}`);
  for (const name of skipped) console.log(`skipped, which CI does not allow: ${name}`);
  // `npm test` failing because of failed tests is no further failure.
  const extraSteps = failedSteps.filter((step) => !step.startsWith('test') || failed.length === 0);
  const failedCount = failed.length + skipped.length + extraSteps.length;
  console.log(`${passed} passed, ${failedCount} failed`);
  if (failedCount > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
