/** What the core and the parsers cost per operation, without any device or socket. */

import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createRequest, decodeRequest, encodeRequest } from '../../src/protocols/nbd/request.ts';
import { formatTable } from '../report.ts';
import { type Cost, type MeasureOptions, measureTogether, type Repeat } from './measure.ts';
import { linearRows, NullDevice, reads, Volumes } from './volumes.ts';

const SECTORS = 1 << 24;
const PAGE = 4096;
const MIB = 1 << 20;

interface Operation {
  title: string;
  repeat: Repeat;
  /** Each reading is a number on the heap, which is the clock's own doing. */
  clockAllocates?: boolean;
}

interface Result extends Cost {
  title: string;
  mayAllocate: boolean;
}

/** Nanoseconds that pass are not the core's: but for one row the clock stands still. */
const stoppedClock: Clock = {
  nowMs: () => 1,
  wallMs: () => 1,
  after: () => ({ cancel: () => undefined }),
};

async function operations(): Promise<Operation[]> {
  const volumes = new Volumes(stoppedClock);
  const one = `0 ${SECTORS} linear null 0`;
  const single = await volumes.create('single', one);
  const many = await volumes.create('many', linearRows(10_000, SECTORS));
  const stack = await volumes.createStack('stack', 8, SECTORS);
  const chunked = await volumes.create('chunked', `0 ${SECTORS} split null 128`);
  const timed = await new Volumes(systemClock).create('single', one);
  return [
    { title: 'disk alone, 4 KiB read (the loop itself)', repeat: reads(new NullDevice(), PAGE) },
    { title: 'linear, 1 row, 4 KiB read', repeat: reads(single, PAGE) },
    { title: 'linear, 10,000 rows, 4 KiB read', repeat: reads(many, PAGE) },
    { title: 'stack of 8 linear, 4 KiB read', repeat: reads(stack, PAGE) },
    { title: 'linear, 1 row, 1 MiB read', repeat: reads(single, MIB) },
    { title: '1 MiB read split in 16 chunks of 64 KiB', repeat: reads(chunked, MIB) },
    { title: 'NBD request header, decoded', repeat: decodeRequests() },
    {
      title: 'linear, 1 row, 4 KiB read, with a real clock',
      repeat: reads(timed, PAGE),
      clockAllocates: true,
    },
  ];
}

/** A buffer full of headers, as one recv brings them. */
function decodeRequests(): Repeat {
  const count = 32;
  const headerBytes = 28;
  const bytes = new Uint8Array(count * headerBytes);
  for (let i = 0; i < count; i += 1) {
    encodeRequest(bytes, i * headerBytes, {
      ...createRequest(),
      cookieLow: i,
      offsetBytes: i * 4096,
      lengthBytes: 4096,
    });
  }
  const request = createRequest();
  return (times) => {
    let sum = 0;
    for (let i = 0; i < times; i += 1) {
      decodeRequest(bytes, (i % count) * headerBytes, request);
      sum += request.lengthBytes;
    }
    if (sum !== times * 4096) throw new Error('a header was decoded wrongly');
  };
}

export async function measureMicro(options: MeasureOptions): Promise<Result[]> {
  const all = await operations();
  const costs = measureTogether(
    all.map(({ repeat }) => repeat),
    options,
  );
  return all.map(({ title, clockAllocates = false }, index) => ({
    title,
    mayAllocate: clockAllocates,
    ...costs[index]!,
  }));
}

/** Prints and judges nothing: nanoseconds differ from machine to machine. Allocation does not: it fails above a byte. */
export async function runMicro(options: { quick: boolean; json: boolean }): Promise<boolean> {
  const results = await measureMicro(
    options.quick ? { runs: 1, milliseconds: 10 } : { runs: 7, milliseconds: 100 },
  );
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else process.stdout.write(`${formatMicro(results)}\n`);
  return results.every(
    ({ bytesPerOp, mayAllocate }) => mayAllocate || bytesPerOp === null || bytesPerOp < 1,
  );
}

function formatMicro(results: readonly Result[]): string {
  return formatTable(
    ['operation', 'ns', 'spread', 'bytes'],
    results.map(({ title, nsPerOp, spread, bytesPerOp }) => [
      title,
      nsPerOp.toFixed(1),
      `±${(spread * 50).toFixed(0)}%`,
      bytesPerOp === null ? 'needs --expose-gc' : bytesPerOp.toFixed(2),
    ]),
  );
}
