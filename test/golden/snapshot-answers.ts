/** What a real kernel did with test/kernel/snapshot-cases.ts, kept so that ours can be checked without one. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { imageBytes, imageText } from '../kernel/sector-runs.ts';
import type { SnapshotCase } from '../kernel/snapshot-cases.ts';
import type { SnapshotEdge } from '../kernel/snapshot-edges.ts';
import { DISKS, type Images, imagesFrom } from '../kernel/device-job.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const file = path('./snapshot-answers.json');
const edgeFile = path('./snapshot-edges.json');

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
  const kept = readKept<Kept>(file, each.name, askedOf(each));
  return { ...kept, images: imagesFrom((disk) => imageBytes(kept.images[disk]!)) };
}

export function readEdgeAnswers({ name, steps }: SnapshotEdge): string[] {
  return readKept<{ asked: readonly string[]; answers: string[] }>(edgeFile, name, steps).answers;
}

function readKept<T extends { asked: readonly string[] }>(
  jsonFile: string,
  name: string,
  asked: readonly string[],
): T {
  const all = JSON.parse(readFileSync(jsonFile, 'utf8')) as Record<string, T>;
  const kept = all[name];
  if (kept !== undefined && JSON.stringify(kept.asked) === JSON.stringify(asked)) return kept;
  const how = 'npx tsx test/golden/record-snapshots.ts asks';
  throw new Error(`No kernel's answer is kept for "${name}"; ${how}`);
}

export function writeEdgeAnswers(
  edges: readonly SnapshotEdge[],
  answers: readonly (readonly string[])[],
): void {
  const entries = edges.map(({ name, steps }, index) => {
    return [name, { asked: steps, answers: answers[index]! }];
  });
  writeFileSync(edgeFile, `${JSON.stringify(Object.fromEntries(entries), null, 1)}\n`);
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
