/** log-writes both ways: the same I/O gives the same log here and in a kernel, we replay the kernel's, and a few lines of shell replay ours. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLogWritesAnswer } from '../golden/log-writes-answers.ts';
import { digestOf } from '../golden/snapshot-answers.ts';
import { succeed, temporaryFolder } from '../interop/serve-process.ts';
import { doHere } from './device-here.ts';
import type { DeviceResult } from './device-job.ts';
import { doInKernel } from './device-kernel.ts';
import { requireKernel } from './kernel.ts';
import { logWritesJobNames, logWritesJobs } from './log-writes-jobs.ts';
import { itemsOfTurn } from './turns.ts';

const TURNS = 4;

/** As little as a replay can be, of log sectors of 512 bytes: `replay LOG DISK`. */
const REPLAY = `
  log=$1 again=$2 count=$(od -A n -t u8 -j 16 -N 8 $log) size=$(od -A n -t u4 -j 24 -N 4 $log)
  at=1
  for entry in $(seq $count); do
    set -- $(od -A n -t u8 -w32 -j $((at * size)) -N 32 $log)
    at=$((at + 1))
    if [ $(($3 & 4)) != 0 ]; then
      dd if=/dev/zero of=$again bs=512 seek=$1 count=$2 conv=notrunc status=none
    elif [ $2 != 0 ]; then
      dd if=$log of=$again bs=512 skip=$at seek=$1 count=$2 conv=notrunc status=none
      at=$((at + $2))
    fi
  done
  echo "replayed $entry entries"
`;

describe('log-writes and a kernel', () => {
  const folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  const kernel = { small: readLogWritesAnswer('small'), large: readLogWritesAnswer('large') };
  let ours: DeviceResult;

  beforeAll(async () => {
    ours = await doHere(logWritesJobs.small);
  });
  afterAll(() => folder[Symbol.dispose]());

  /** A disk as the first write found it. */
  function diskBefore(name: string): string {
    const { O } = logWritesJobs.small.images;
    writeFileSync(at(name), O);
    return at(name);
  }

  function fileOf(name: string, bytes: Uint8Array): string {
    writeFileSync(at(name), bytes);
    return at(name);
  }

  test('have the same status behind each step', () => {
    expect(ours.answers).toEqual(kernel.small.answers);
  });

  test('write the same log, byte for byte', () => {
    expect(Buffer.compare(ours.images.C, kernel.small.images.C)).toBe(0);
    expect(Buffer.compare(ours.images.O, kernel.small.images.O)).toBe(0);
  });

  test.each(['small', 'large'] as const)("we replay the kernel's, %s sectors", async (name) => {
    const { O, C } = kernel[name].images;
    const log = fileOf(`kernels-${name}`, C);
    const again = diskBefore(`again-${name}`);
    expect(await succeed('devmapper', 'replay', log, '--replay', again)).toMatch(
      /^Replayed 14 entries/,
    );
    const sectorBytes = name === 'small' ? 512 : 4096;
    const listed = await succeed('devmapper', 'replay', log);
    expect(listed).toContain(`sectorsize=${sectorBytes}, entries=14`);
    expect(Buffer.compare(readFileSync(again), O)).toBe(0);
  });

  test('others replay ours', async () => {
    const log = fileOf('ours', ours.images.C);
    const again = diskBefore('again-ours');
    expect(await succeed('sh', '-e', '-c', REPLAY, 'replay', log, again)).toBe(
      'replayed 14 entries\n',
    );
    expect(Buffer.compare(readFileSync(again), ours.images.O)).toBe(0);
  });

  test('say the same of a log that is full', async () => {
    const { answers, images } = await doHere(logWritesJobs.full);
    const theirs = readLogWritesAnswer('full');
    // Ours raises an event too.
    const told = answers.map((answer) => answer.replace(' e1', ' e0'));
    expect(told).toEqual(theirs.answers);
    expect(answers[4]).toContain('2 3 logging_disabled');
    expect(digestOf(images)).toBe(digestOf(theirs.images));
  });
});

requireKernel()('a kernel', () => {
  test('answers as it is kept', async () => {
    // One boot for all, or none.
    const [names = []] = itemsOfTurn([logWritesJobNames], TURNS);
    const results =
      names.length > 0 ? await doInKernel(names.map((name) => logWritesJobs[name])) : [];
    for (const [index, result] of results.entries()) {
      const kept = readLogWritesAnswer(names[index]!);
      expect(result.answers, names[index]).toEqual(kept.answers);
      expect(digestOf(result.images), names[index]).toBe(digestOf(kept.images));
    }
  });
});
