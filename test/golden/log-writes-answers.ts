/** What a real kernel did with test/kernel/log-writes-jobs.ts, kept so that ours can be checked without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DISKS, type DeviceResult, imagesFrom } from '../kernel/device-job.ts';
import { type LogWritesJobName, logWritesJobNames, logWritesJobs } from '../kernel/log-writes-jobs.ts';
import { imageBytes, imageText } from '../kernel/sector-runs.ts';

const file = fileURLToPath(new URL('./log-writes-answers.json', import.meta.url));

interface Kept {
  /** The steps that were asked: an answer to others is none. */
  asked: readonly string[];
  answers: string[];
  images: Record<string, string>;
}

export function readLogWritesAnswer(name: LogWritesJobName): DeviceResult {
  const kept = (JSON.parse(readFileSync(file, 'utf8')) as Record<LogWritesJobName, Kept>)[name];
  if (JSON.stringify(kept.asked) !== JSON.stringify(logWritesJobs[name].steps)) {
    const how = 'npx tsx test/golden/record-log-writes.ts asks';
    throw new Error(`No kernel's answer is kept for "${name}"; ${how}`);
  }
  const images = imagesFrom((disk) => imageBytes(kept.images[disk]!));
  return { answers: kept.answers, images };
}

export function writeLogWritesAnswers(results: readonly DeviceResult[]): void {
  const entries = logWritesJobNames.map((name, index) => {
    const { answers, images } = results[index]!;
    const texts = Object.fromEntries(DISKS.map((disk) => [disk, imageText(images[disk])]));
    return [name, { asked: logWritesJobs[name].steps, answers, images: texts }];
  });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(entries), null, 1)}\n`);
}
