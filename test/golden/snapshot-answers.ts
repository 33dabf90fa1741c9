/** What a real kernel did with test/kernel/snapshot-cases.ts, kept so that ours can be checked without one. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { imageBytes, imageText } from '../kernel/sector-runs.ts';
import type { SnapshotCase } from '../kernel/snapshot-cases.ts';
import { DISKS, type Images, imagesFrom } from '../kernel/snapshot-job.ts';

const file = fileURLToPath(new URL('./snapshot-answers.json', import.meta.url));

export interface SnapshotAnswer {
  /** To `steps`. */
  answers: string[];
  /** Then its machine was switched off. */
  images: Images;
  /** To `after`, with those. */
  after: string[];
  /** Disks that we had left, and its answers to `after` with them. */
  ours: { digest: string; after: string[] };
}

type Kept = Omit<SnapshotAnswer, 'images'> & {
  /** What was asked: an answer to anything else is none. */
  asked: readonly string[];
  images: Record<string, string>;
};

const askedOf = ({ sizes, steps, after }: SnapshotCase) => [sizes.join(' '), ...steps, ...after];

export function readSnapshotAnswer(each: SnapshotCase): SnapshotAnswer {
  const all = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Kept>;
  const kept = all[each.name];
  if (kept === undefined || JSON.stringify(kept.asked) !== JSON.stringify(askedOf(each))) {
    const how = 'npx tsx test/golden/record-snapshots.ts asks';
    throw new Error(`No kernel's answer is kept for "${each.name}"; ${how}`);
  }
  return { ...kept, images: imagesFrom((disk) => imageBytes(kept.images[disk]!)) };
}

export function writeSnapshotAnswers(
  cases: readonly SnapshotCase[],
  answers: readonly SnapshotAnswer[],
): void {
  const entries = cases.map((each, index) => {
    const { images, ...answer } = answers[index]!;
    const texts = Object.fromEntries(DISKS.map((disk) => [disk, imageText(images[disk])]));
    return [each.name, { asked: askedOf(each), ...answer, images: texts }];
  });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(entries), null, 1)}\n`);
}

export function digestOf(images: Images): string {
  const hash = createHash('sha256');
  for (const disk of DISKS) hash.update(images[disk]);
  return hash.digest('hex');
}
