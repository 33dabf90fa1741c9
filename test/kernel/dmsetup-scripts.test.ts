/**
 * Scripts of dmsetup commands, run three ways: by real dmsetup in a real kernel, by real dmsetup on our daemon through
 * `devmapper exec`, and by our own commands. All must print the same; differences are in the table below, each with its reason.
 */

import { beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { execObstacle } from '../interop/exec-rig.ts';
import '../interop/serve-process.ts';
import { type Difference, differences } from './dmsetup-differences.ts';
import {
  type CommandRecord,
  LoopDisks,
  type Records,
  runScriptsInKernel,
  runScriptsWithDmsetup,
  runScriptsWithOurs,
  scriptNames,
} from './dmsetup-records.ts';
import { kernelAvailable } from './kernel.ts';

const missing = missingTools(['dmsetup', 'losetup']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

/**
 * Whether the kernel runs a script too. What dmsetup itself reads, refuses or formats is the same in and outside of a kernel, and
 * in an emulated machine each command takes a quarter of a second. DEVMAPPER_KERNEL_SCRIPTS=all runs all of them.
 */
const KERNEL_SCRIPTS = /^(02|03|04|05|06|09|10|11|13)-/;
const kernelScripts =
  process.env['DEVMAPPER_KERNEL_SCRIPTS'] === 'all'
    ? scriptNames
    : scriptNames.filter((name) => KERNEL_SCRIPTS.test(name));

type Side = Difference['sides'][number];

function isExpected(side: Side, key: string): boolean {
  return differences.some((each) => each.sides.includes(side) && each.commands.test(key));
}

/** Ours says more on standard error: the reason. It says less: not how every option is used. */
function comparable({ stdout, stderr, status }: CommandRecord): string {
  const lines = stderr
    .replace(/^Usage:[\s\S]*/m, '')
    .replace(/^ {2}usage: .*\n/m, '')
    .split('\n')
    .filter((line) => !/^( {2}reason: | {4}|devmapper: )/.test(line));
  const versionless = stdout
    .replaceAll(/target_version=[\d.]+/g, 'target_version=V')
    .replaceAll(/^([a-z-]+ +)v\d+\.\d+\.\d+$/gm, '$1V');
  return `${versionless}${lines.join('\n')}= ${status}`;
}

function different(judge: Records, ours: Records): string[] {
  return [...judge.keys()].filter((key) => {
    const [theirs, own] = [judge.get(key)!, ours.get(key)];
    return own === undefined || comparable(theirs) !== comparable(own);
  });
}

function expectSame(side: Side, judge: Records, ours: Records): void {
  const unexpected = different(judge, ours).filter((key) => !isExpected(side, key));
  const show = (records: Records) =>
    Object.fromEntries(
      unexpected.map((key) => [key, records.has(key) ? comparable(records.get(key)!) : 'not run']),
    );
  expect(show(ours)).toEqual(show(judge));
}

function expectDifferences(side: Side, judge: Records, ours: Records): void {
  const keys = different(judge, ours);
  const stale = differences.filter(
    (each) => each.sides.includes(side) && !keys.some((key) => each.commands.test(key)),
  );
  expect(stale.map(({ reason }) => reason)).toEqual([]);
}

describeUnless(obstacle)('scripts of dmsetup', () => {
  let dmsetup: Records;
  let ours: Records;
  let kernel: Records | null = null;

  beforeAll(async () => {
    using disks = new LoopDisks();
    const inKernel =
      kernelAvailable() === null ? runScriptsInKernel(kernelScripts, disks) : Promise.resolve(null);
    dmsetup = await runScriptsWithDmsetup(scriptNames, disks);
    ours = await runScriptsWithOurs(scriptNames, disks);
    kernel = await inKernel;
  }, 900_000);

  test('more than a hundred of their commands are refused', () => {
    const refused = [...dmsetup.values()].filter(({ status }) => status !== '0');
    expect(refused.length).toBeGreaterThan(200);
  });

  test('our commands print what dmsetup prints', () => {
    expectSame('cli', kernelOr(dmsetup), ours);
  });

  test('every difference that is excused is there', () => {
    expectDifferences('cli', kernelOr(dmsetup), ours);
  });

  describeUnless(kernelAvailable())('in a kernel', () => {
    test('dmsetup prints the same there and on our daemon', () => {
      expectSame('exec', kernel!, dmsetup);
    });

    test('every difference that is excused is there', () => {
      expectDifferences('exec', kernel!, dmsetup);
    });
  });

  /** What happened in the kernel, or, where it was not asked, what real dmsetup did here. */
  function kernelOr(others: Records): Records {
    const judge = new Map([...others, ...(kernel ?? [])]);
    // What looks at nodes: our commands make none.
    return new Map([...judge].filter(([key]) => / dmsetup( |$)/.test(key.replace(/^[^:]*:/, ''))));
  }
});
