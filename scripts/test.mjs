/**
 * `npm test`: sets up what is missing, then runs every test. Arguments go to vitest: `npm test -- src/core -t split`.
 *
 * Three runs: the unit tests, the unit tests without koffi (as where it has no build), and the tests against real
 * programs, which need `dist/`. Environment: DEVMAPPER_TEST_REPORTS names a folder that keeps vitest's JSON reports;
 * CI makes a missing program a failure instead of a skip.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addUp, readReport } from './test-report.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const runs = [
  { label: 'unit', project: 'unit' },
  {
    label: 'unit-without-koffi',
    project: 'unit',
    environment: { DEVMAPPER_NO_KOFFI: '1' },
    // Each file alone in its process is the first run's business; here a process takes one file after the other, in half the time.
    options: ['--no-isolate'],
  },
  {
    label: 'interop',
    project: 'interop',
    options: ['--project', 'interop-alone'],
    needsBuild: true,
  },
];

function run(command, commandArguments, environment = {}) {
  const options = { stdio: 'inherit', env: { ...process.env, ...environment } };
  const { status, error } = spawnSync(command, commandArguments, options);
  if (error) console.error(`Cannot run ${command}: ${error.message}`);
  return status ?? 1;
}

/** Runs one of `runs` and says how its tests ended. */
function runTests(chosen, vitestArguments, folder) {
  const { label, project, environment, needsBuild, options = [] } = chosen;
  console.log(`\n== ${label}`);
  const report = join(folder, `${label}.json`);
  const built = !needsBuild || run(process.execPath, ['scripts/ensure-build.cjs']) === 0;
  const status = built
    ? run(
        process.execPath,
        [
          'node_modules/vitest/vitest.mjs',
          'run',
          ...['--project', project, ...options],
          ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
          // A filter may match in one run only; without one, a run of nothing is a mistake.
          ...(vitestArguments.length > 0 ? ['--passWithNoTests', ...vitestArguments] : []),
        ],
        environment,
      )
    : 1;
  writeFileSync(join(folder, `${label}.status`), `${status}\n`);
  return readReport(report, built ? label : `${label} (no build)`, status);
}

/** `--project unit` among the arguments chooses runs; what is left goes to vitest. */
function chooseRuns(commandLine) {
  const vitestArguments = [];
  const projects = [];
  const words = commandLine.values();
  for (const word of words) {
    if (word === '--project') projects.push(words.next().value);
    else if (word.startsWith('--project=')) projects.push(word.slice('--project='.length));
    else vitestArguments.push(word);
  }
  const chosen = runs.filter(({ project }) => !projects.length || projects.includes(project));
  return { chosen, vitestArguments };
}

function main() {
  const startedMs = performance.now();
  process.chdir(root);
  const { chosen, vitestArguments } = chooseRuns(process.argv.slice(2));
  if (!existsSync('node_modules/vitest') && run('npm', ['ci', '--no-audit', '--no-fund']) !== 0)
    return 1;
  if (chosen.some(({ needsBuild }) => needsBuild) && run('scripts/install-oracles', []) !== 0)
    return 1;

  const kept = process.env.DEVMAPPER_TEST_REPORTS;
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'devmapper-test-'));
  mkdirSync(folder, { recursive: true });
  const reports = chosen.map((each) => runTests(each, vitestArguments, folder));
  if (kept === undefined) rmSync(folder, { recursive: true });

  const { passed, failed, skipped } = addUp(reports);
  for (const name of failed) console.log(`failed: ${name}`);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  const parts = reports.map((report) => `${report.label} ${report.passed}`).join(', ');
  console.log(
    `\n${passed} passed, ${failed.length} failed, ${skipped.length} skipped in ${seconds} s (${parts})`,
  );
  return failed.length > 0 ? 1 : 0;
}

process.exitCode = main();
