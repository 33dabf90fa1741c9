// Runs `commands.json` with the real dmsetup of a real kernel and writes what it said, for test/interop/dmsetup-golden.test.ts:
//   test/kernel/vm --share test/golden/dmsetup SCRIPT     where SCRIPT says: node /share/record.mjs
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('.', import.meta.url);
const commands = JSON.parse(readFileSync(new URL('commands.json', folder), 'utf8'));
const transcript = commands.map((words) => {
  const [command, ...rest] = words;
  const input = words.at(-1)?.stdin;
  const args = [command, ...rest].filter((word) => typeof word === 'string');
  const { status, stdout, stderr } = spawnSync('dmsetup', args, {
    encoding: 'utf8',
    input: input ?? '',
  });
  return { words, status, stdout, stderr };
});
const version = spawnSync('dmsetup', ['version'], { encoding: 'utf8' }).stdout.trim();
const text = JSON.stringify({ version, transcript }, null, 1);
writeFileSync(new URL('transcript.json', folder), `${text}\n`);
