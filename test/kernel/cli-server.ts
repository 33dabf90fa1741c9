/**
 * Runs our commands one after the other in one process, each as if it were a program of its own: for tests that need hundreds.
 * `cli-server.ts OUTPUT ERRORS`; on standard input the number of words and the words, each with a NUL behind it; OUTPUT and ERRORS
 * are then the command's standard output and error, and its status is a line on our own standard output.
 *
 * The descriptors themselves change, so that programs which a command starts, and what it reads from standard input
 * (nothing), are right as well.
 */

import { EventEmitter } from 'node:events';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { main } from '../../src/cli/main.ts';

const [outputPath, errorsPath] = process.argv.slice(2) as [string, string];
const requests = openSync('/proc/self/fd/0', 'r');
const replies = openSync('/proc/self/fd/1', 'w');
let buffered = Buffer.alloc(0);

/** What is opened gets the lowest number that is free. */
function redirect(path: string, flags: string, descriptor: number): void {
  closeSync(descriptor);
  const opened = openSync(path, flags);
  if (opened !== descriptor) throw new Error(`${path} is descriptor ${opened}, not ${descriptor}`);
}

/** Null: the end. */
function readWord(): string | null {
  for (;;) {
    const end = buffered.indexOf(0);
    if (end >= 0) {
      const word = buffered.toString('utf8', 0, end);
      buffered = buffered.subarray(end + 1);
      return word;
    }
    const chunk = Buffer.alloc(65_536);
    const length = readSync(requests, chunk);
    if (length === 0) return null;
    buffered = Buffer.concat([buffered, chunk.subarray(0, length)]);
  }
}

function readWords(): string[] | null {
  const count = readWord();
  if (count === null) return null;
  return Array.from({ length: Number(count) }, () => readWord() ?? '');
}

// One process hears as many commands as a script has.
EventEmitter.defaultMaxListeners = 0;
redirect('/dev/null', 'r', 0);
for (let words = readWords(); words !== null; words = readWords()) {
  redirect(outputPath, 'w', 1);
  redirect(errorsPath, 'w', 2);
  process.exitCode = 0;
  const status = await main(words);
  writeSync(replies, `${status}\n`);
}
