/** Asks a real kernel anew: `npx tsx test/golden/record-snapshots.ts` after the cases have changed. Some minutes. */

import { snapshotCases } from '../kernel/snapshot-cases.ts';
import { askSnapshots, doSnapshots } from '../kernel/snapshot-io.ts';
import { writeSnapshotAnswers } from './snapshot-answers.ts';

const ours = [];
for (const each of snapshotCases) ours.push((await doSnapshots(each, each.steps)).images);
const theirs = await askSnapshots(snapshotCases, ours);
const answers = theirs.map(({ answer }) => answer.steps);
writeSnapshotAnswers(snapshotCases, answers);
