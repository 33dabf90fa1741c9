/**
 * Our commands against what the real dmsetup printed for the same words in a real kernel: test/golden/dmsetup/record.mjs wrote it down.
 * The reasons that we add, and what only a kernel can say, are taken out first.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { DaemonWorld, program } from './daemon-rig.ts';

interface Said {
  status: number | null;
  stdout: string;
  stderr: string;
}
interface Step extends Said {
  words: (string | { stdin: string })[];
}

const file = new URL('../golden/dmsetup/transcript.json', import.meta.url);
const { transcript } = JSON.parse(readFileSync(file, 'utf8')) as { transcript: Step[] };

/** The kernel's major number of mapped devices, and ours. */
const OURS = (text: string) => text.replaceAll(/\b253\b/g, '252');

const world = new DaemonWorld();

beforeAll(async () => {
  await world.foreground();
  for (const [name, value] of Object.entries(world.environment())) {
    if (name.startsWith('DEVMAPPER')) vi.stubEnv(name, value);
  }
  // Every call of `main` listens for readers that go away.
  for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await world[Symbol.asyncDispose]();
});

describe('dmsetup and devmapper say the same', () => {
  test.each(transcript.map((step) => [step.words.map(shown).join(' '), step] as const))(
    '%s',
    async (_title, step) => {
      const said = await run(step.words);
      expect(normal(said)).toEqual(normal(step));
    },
  );
});

function shown(word: Step['words'][number]): string {
  return typeof word === 'string' ? word : '<input>';
}

/** In this process, which is quick, unless standard input matters. */
async function run(words: Step['words']): Promise<Said> {
  const args = words.filter((word) => typeof word === 'string').map(OURS);
  const last = words.at(-1);
  const readsInput = args[0] === 'udevcomplete_all' || typeof last === 'object';
  if (readsInput) {
    const input = typeof last === 'object' ? last.stdin : '';
    const options = { env: world.environment(), encoding: 'utf8', input } as const;
    return spawnSync(process.execPath, [program, ...args], options);
  }
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  try {
    return { status: await main(args), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

function normal({ status, stdout, stderr }: Said): Said {
  const lines = stderr.replace(/^Usage:[\s\S]*/m, '').split('\n');
  const kept = lines.filter((line) => !/^ {2}(reason|usage):|open failed:/.test(line));
  return {
    status,
    stdout: OURS(stdout),
    stderr: OURS(kept.join('\n'))
      .replaceAll(/^dmsetup:/gm, 'devmapper:')
      .trimEnd(),
  };
}
