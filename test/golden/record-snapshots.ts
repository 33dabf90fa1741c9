/** Asks a real kernel anew: `npx tsx test/golden/record-snapshots.ts` after the cases have changed, or what we leave on the disks. A minute or two. */

import { snapshotCases } from '../kernel/snapshot-cases.ts';
import { snapshotEdges } from '../kernel/snapshot-edges.ts';
import { doHere } from '../kernel/device-here.ts';
import { freshImages, type Images } from '../kernel/device-job.ts';
import { doInKernel } from '../kernel/device-kernel.ts';
import { digestOf, writeEdgeAnswers, writeSnapshotAnswers } from './snapshot-answers.ts';

const firstJobs = snapshotCases.map(({ steps, sizes }) => ({ steps, images: freshImages(sizes) }));
const secondJobs = (images: readonly Images[]) =>
  snapshotCases.map(({ after }, index) => ({ steps: after, images: images[index]! }));

const ours: Images[] = [];
for (const job of firstJobs) ours.push((await doHere(job)).images);
const { length } = snapshotCases;
const edgeJobs = snapshotEdges.map(({ steps, sizes }) => ({ steps, images: freshImages(sizes) }));
const results = await doInKernel([...firstJobs, ...secondJobs(ours), ...edgeJobs]);
const first = results.slice(0, length);
const onOurs = results.slice(length, 2 * length);
const onTheirs = await doInKernel(secondJobs(first.map(({ images }) => images)));

writeSnapshotAnswers(
  snapshotCases,
  first.map(({ answers, images }, index) => ({
    answers,
    images,
    after: onTheirs[index]!.answers,
    ours: { digest: digestOf(ours[index]!), after: onOurs[index]!.answers },
  })),
);
writeEdgeAnswers(
  snapshotEdges,
  results.slice(2 * length).map(({ answers }) => answers),
);
