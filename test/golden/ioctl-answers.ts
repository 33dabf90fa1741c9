/** What a real kernel answered to the ioctl cases, kept so that they can be checked without one. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Flag } from '../../src/control/protocol/commands.ts';
import { HEADER_BYTES, Header, VERSION_BYTES } from '../../src/control/protocol/header.ts';
import type { IoctlCase } from '../kernel/ioctl-case.ts';
import type { IoctlResult } from '../kernel/ioctl-twin.ts';

/** The errno, and the runs of 8 bytes of the caller's memory that are others than before: `offset hex`. */
export interface RecordedAnswer {
  what: string;
  errno?: number;
  changed?: string[];
}

const file = fileURLToPath(new URL('./ioctl-answers.json', import.meta.url));
const RUN_BYTES = 8;

export function readAnswers(): RecordedAnswer[] {
  return JSON.parse(readFileSync(file, 'utf8')) as RecordedAnswer[];
}

export function writeAnswers(answers: readonly RecordedAnswer[]): void {
  const lines = answers.map((answer) => JSON.stringify(answer));
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`);
}

/** All that must be the same everywhere: not the interface's version, and no uevents, which only a kernel can send. */
export function recordAnswer(each: IoctlCase, { errno, memory }: IoctlResult): RecordedAnswer {
  const { what, differs } = each;
  if (differs) return differs.compare === 'errno' ? { what, errno } : { what };
  const [before, after] = [Buffer.from(each.memory), Buffer.from(memory)];
  for (const bytes of [before, after]) bytes.fill(0, 0, Math.min(bytes.length, VERSION_BYTES));
  if (errno === 0 && after.length >= HEADER_BYTES) new Header(after).put(Flag.ueventGenerated, false);
  return { what, errno, changed: changes(before, after) };
}

function changes(before: Buffer, after: Buffer): string[] {
  const runs: string[] = [];
  for (let offset = 0; offset < after.length; offset += RUN_BYTES) {
    const run = after.subarray(offset, offset + RUN_BYTES);
    if (run.equals(before.subarray(offset, offset + RUN_BYTES))) continue;
    runs.push(`${offset} ${run.toString('hex')}`);
  }
  return runs;
}
