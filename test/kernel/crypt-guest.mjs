/**
 * Runs in the kernel's guest: `crypt-guest.mjs CLIENT JOB RESULT`. Loads dm-crypt tables one by one and says what the kernel thinks of each; makes
 * devices of many rows, writes to them or compares what they read with a file. CLIENT is the built control client.
 */

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

const [clientPath, jobPath, resultPath] = process.argv.slice(2);
const { connectClient } = await import(clientPath);
const client = await connectClient({ transport: 'kernel' });
const job = JSON.parse(readFileSync(jobPath, 'utf8'));
const log = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);

/** What the kernel said since the last time. */
function readLog() {
  const record = Buffer.alloc(8192);
  const lines = [];
  for (;;) {
    try {
      const length = readSync(log, record);
      lines.push(
        record
          .toString('latin1', 0, length)
          .split('\n')[0]
          .replace(/^[^;]*;/, ''),
      );
    } catch (error) {
      if (error.code === 'EAGAIN') return lines;
      if (error.code !== 'EPIPE') throw error;
    }
  }
}

/** The kernel's words for the latest refusal. */
function lastWords() {
  const line = readLog().findLast((text) => text.includes('device-mapper: table'));
  return (line ?? '').replace(/^.*crypt: /, '').replace(/ \(-E[A-Z]+\)$/, '');
}

async function judge(params) {
  readLog();
  try {
    await client.load({ name: 'judged' }, [
      { start: 0, length: job.caseSectors, type: 'crypt', params },
    ]);
    return 'ok';
  } catch (error) {
    return `${error.code} ${lastWords()}`;
  }
}

function compare(path, wanted, pieceBytes) {
  const device = openSync(path, 'r');
  const piece = Buffer.alloc(pieceBytes);
  const different = [];
  for (let at = 0; at < wanted.length; at += pieceBytes) {
    const length = readSync(device, piece, 0, pieceBytes, at);
    if (length !== pieceBytes || !piece.equals(wanted.subarray(at, at + pieceBytes)))
      different.push(at / pieceBytes);
  }
  closeSync(device);
  return different;
}

async function runTable({ rows, write, read }, index) {
  const name = `table-${index}`;
  const { number } = await client.create({ name });
  const length = job.caseSectors;
  await client.load(
    { name },
    rows.map((params, row) => ({ start: row * length, length, type: 'crypt', params })),
  );
  await client.resume({ name });
  const path = `/dev/${name}`;
  spawnSync('mknod', [path, 'b', String(number.major), String(number.minor)]);
  let different = [];
  if (write) {
    const device = openSync(path, 'w');
    writeSync(device, readFileSync(write));
    fsyncSync(device);
    closeSync(device);
  } else {
    different = compare(path, readFileSync(read), length * 512);
  }
  await client.remove({ name });
  return different;
}

await client.create({ name: 'judged' });
const verdicts = [];
for (const params of job.judge) verdicts.push(await judge(params));
const different = [];
for (const [index, table] of job.tables.entries()) different.push(await runTable(table, index));
writeFileSync(resultPath, JSON.stringify({ verdicts, different }));
await client[Symbol.asyncDispose]();
