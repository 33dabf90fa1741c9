/**
 * Scripts of dmsetup commands, run three ways: by real dmsetup in a real kernel, by real dmsetup on our daemon through
 * `devmapper exec`, and by our own commands. All must print the same; differences are in the table below, each with its reason.
 */

import { beforeAll, expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { readDmsetupAnswers } from '../golden/dmsetup-answers.ts';
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
import { requireKernel } from './kernel.ts';
import { itemsOfTurn } from './turns.ts';

const missing = missingTools(['dmsetup', 'losetup']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

/** In an emulated machine each command takes a quarter of a second: the kernel runs one script each hour. */
const TURNS = 13;

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

requireKernel()('scripts of dmsetup in a kernel', () => {
  test('the answers kept in test/golden are its own', async () => {
    using disks = new LoopDisks();
    const asked = itemsOfTurn(scriptNames, TURNS);
    const answers = await runScriptsInKernel(asked, disks);
    const isAsked = (key: string) => asked.some((name) => key.startsWith(name.replace('.sh', ':')));
    const kept = [...readDmsetupAnswers()].filter(([key]) => isAsked(key));
    expect([...answers].map(withoutDetails)).toEqual(kept.map(withoutDetails));
  }, 900_000);
});

describeUnless(obstacle)('scripts of dmsetup', () => {
  const kernel = readDmsetupAnswers();
  let dmsetup: Records;
  let ours: Records;

  beforeAll(async () => {
    using disks = new LoopDisks();
    dmsetup = await runScriptsWithDmsetup(scriptNames, disks);
    ours = await runScriptsWithOurs(scriptNames, disks);
  }, 900_000);

  test('every command has an answer of the kernel', () => {
    expect([...dmsetup.keys()]).toEqual([...kernel.keys()]);
  });

  test('more than a hundred of their commands are refused', () => {
    const refused = [...dmsetup.values()].filter(({ status }) => status !== '0');
    expect(refused.length).toBeGreaterThan(200);
  });

  test('our commands print what dmsetup prints', () => {
    expectSame('cli', judgeOfOurs(kernel, dmsetup), ours);
  });

  test('dmsetup prints the same in a kernel and on our daemon', () => {
    expectSame('exec', kernel, dmsetup);
  });

  test('every difference that is excused is there', () => {
    expectDifferences('cli', judgeOfOurs(kernel, dmsetup), ours);
    expectDifferences('exec', kernel, dmsetup);
  });
});

/**
 * What happened in the kernel; where that is not to be repeated, what real dmsetup did on our daemon. Without what looks at nodes: our
 * commands make none.
 */
function judgeOfOurs(kernel: Records, dmsetup: Records): Records {
  const isOurOwn = (key: string) => isExpected('exec', key) && !isExpected('cli', key);
  const commands = [...kernel].filter(([key]) => / dmsetup( |$)/.test(key.replace(/^[^:]*:/, '')));
  return new Map(
    commands.map(([key, record]) => [key, isOurOwn(key) ? dmsetup.get(key)! : record]),
  );
}

function withoutDetails([key, record]: [string, CommandRecord]): [string, string] {
  return [key, comparable(record)];
}
