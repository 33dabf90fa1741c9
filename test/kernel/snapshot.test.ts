/** Snapshots and a kernel: the same at each step, and each goes on with what the other left when its power failed. */

import { describe, expect, test } from 'vitest';
import { digestOf, readEdgeAnswers, readSnapshotAnswer } from '../golden/snapshot-answers.ts';
import { doHere } from './device-here.ts';
import { type DeviceJob, freshImages, type Images } from './device-job.ts';
import { doInKernel } from './device-kernel.ts';
import { requireKernel } from './kernel.ts';
import { type SnapshotCase, snapshotCases } from './snapshot-cases.ts';
import { snapshotEdges } from './snapshot-edges.ts';
import { itemsOfTurn } from './turns.ts';

const TURNS = 12;
const EDGE_TURNS = 16;

const firstJob = ({ steps, sizes }: Pick<SnapshotCase, 'steps' | 'sizes'>): DeviceJob => ({
  steps,
  images: freshImages(sizes),
});
const secondJob = ({ after }: SnapshotCase, images: Images) => ({ steps: after, images });

/** Numbers are chance where it is chance how far something came. */
function comparable({ isRacing }: SnapshotCase, answers: readonly string[]): string[] {
  return answers.map((answer) => (isRacing ? answer.replaceAll(/ \S+\/\S+ \d+/g, '') : answer));
}

describe.each(snapshotCases.map((each) => [each.name, each] as const))('%s', (_, each) => {
  const kernel = readSnapshotAnswer(each);

  test('the kernel’s answers at each step', async () => {
    const { answers } = await doHere(firstJob(each));
    expect(comparable(each, answers)).toEqual(comparable(each, kernel.answers));
  });

  test('we go on with what a kernel left', async () => {
    const { answers } = await doHere(secondJob(each, kernel.images));
    expect(answers).toEqual(kernel.after);
  });

  test('a kernel goes on with what we left', async () => {
    const { images } = await doHere(firstJob(each));
    const { answers } = await doHere(secondJob(each, images));
    // If it is another disk now, a kernel is asked below.
    if (digestOf(images) === kernel.ours.digest) expect(answers).toEqual(kernel.ours.after);
  });
});

describe('at the end of a COW device, on failing ones, and beside the usual', () => {
  test.each(snapshotEdges.map((each) => [each.name, each] as const))('%s', async (_, each) => {
    expect((await doHere(firstJob(each))).answers).toEqual(readEdgeAnswers(each));
  });
});

requireKernel()('a kernel', () => {
  test('answers as it is kept, and goes on with what we left', async () => {
    const ofTurn = itemsOfTurn(snapshotCases, TURNS);
    const asked: SnapshotCase[] = [];
    const ours: Images[] = [];
    for (const each of snapshotCases) {
      const { images } = await doHere(firstJob(each));
      const isKnown = digestOf(images) === readSnapshotAnswer(each).ours.digest;
      if (isKnown && !ofTurn.includes(each)) continue;
      asked.push(each);
      ours.push(images);
    }
    const secondJobs = asked.map((each, index) => secondJob(each, ours[index]!));
    const edges = itemsOfTurn(snapshotEdges, EDGE_TURNS);
    const jobs = [...asked.map(firstJob), ...secondJobs, ...edges.map(firstJob)];
    const results = await doInKernel(jobs);
    for (const [index, edge] of edges.entries()) {
      const { answers } = results[2 * asked.length + index]!;
      expect(answers, edge.name).toEqual(readEdgeAnswers(edge));
    }
    for (const [index, each] of asked.entries()) {
      const kept = readSnapshotAnswer(each);
      const { answers, images } = results[index]!;
      expect(comparable(each, answers), each.name).toEqual(comparable(each, kept.answers));
      if (!each.isRacing) expect(digestOf(images), each.name).toBe(digestOf(kept.images));
      const here = await doHere(secondJobs[index]!);
      expect(results[asked.length + index]!.answers, each.name).toEqual(here.answers);
    }
  }, 600_000);
});
