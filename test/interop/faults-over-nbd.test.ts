/** flakey and dust under threads that pass them by: what they begin to do is done from that moment on. chaos over NBD: twice the same. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { Errno } from '../../src/base/errors.ts';
import { createPrng } from '../../src/base/prng.ts';
import { Command } from '../../src/protocols/nbd/constants.ts';
import { loadSystem } from '../../src/system/index.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import { PlaneFixture } from './plane-fixture.ts';

const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;
const SIZE_BYTES = 1 << 20;
const SECTORS = SIZE_BYTES / 512;

/** The device is at the bottom of the stack that the client sees. */
async function start(table: (image: string) => string) {
  const fixture = await PlaneFixture.start();
  const image = fixture.image('disk.img', SIZE_BYTES, 1);
  const beforeMs = systemClock.nowMs();
  await fixture.mapper.create({ name: 'low', table: table(image) });
  const afterMs = systemClock.nowMs();
  await fixture.mapper.create({ name: 'disk', table: `0 ${SECTORS} linear mapper/low 0` });
  const client = await fixture.connect();
  const read = async () => (await client.read(4096, 512)).error;
  return { fixture, client, read, beforeMs, afterMs };
}

describeUnless(obstacle)('over NBD, read by a thread', () => {
  test('a block is bad once the message is answered, and good again once it is written', async () => {
    const { fixture, client, read } = await start((image) => `0 ${SECTORS} dust ${image} 0 512`);
    await using _ = fixture;
    const tell = (...words: string[]) => fixture.mapper.message('low', words);
    await tell('enable');
    for (let round = 0; round < 50; round += 1) {
      expect(await read()).toBe(0);
      await tell('addbadblock', '8');
      expect(await read()).toBe(Errno.EIO);
      expect((await client.write(4096, new Uint8Array(512))).error).toBe(0);
    }
    expect(fixture.service.threadCount).toBe(1);
  });

  test('a disk is down from second to second', async () => {
    const { fixture, read, beforeMs, afterMs } = await start(
      (image) => `0 ${SECTORS} flakey ${image} 0 1 1 1 error_reads`,
    );
    await using _ = fixture;
    const seen = { up: 0, down: 0 };
    while (systemClock.nowMs() < beforeMs + 3500) {
      const beganMs = systemClock.nowMs();
      const error = await read();
      const endedMs = systemClock.nowMs();
      // What the table's age was at least and at most while the read was under way.
      const [youngest, oldest] = [beganMs - afterMs, endedMs - beforeMs];
      if (Math.floor(youngest / 1000) !== Math.floor(oldest / 1000)) continue;
      const isUp = Math.floor(youngest / 1000) % 2 === 0;
      expect([youngest, error]).toEqual([youngest, isUp ? 0 : Errno.EIO]);
      seen[isUp ? 'up' : 'down'] += 1;
      if (seen.up % 64 === 63) await sleep(systemClock, 1);
    }
    expect(seen.up).toBeGreaterThan(0);
    expect(seen.down).toBeGreaterThan(0);
    expect(fixture.service.threadCount).toBe(1);
  });
});

/** Without time: no latency, no power that comes back. */
const RULES = [
  'eio:p=0.03,op=read+write',
  'torn:p=0.05',
  'lost:p=0.02',
  'misdirected:p=0.03,shift=8',
  'bitrot:p=0.05',
  'stale:p=0.1,from=1024',
  'reorder:p=0.3,ms=1h,depth=8',
  'powercut:every=100,ms=0,keep=0.5',
].join(' ');

/** What requests drawn from one seed come to on a stack with chaos in it, and what is on the disk at the end. */
async function runChaos(seed: number) {
  await using fixture = await PlaneFixture.start();
  const image = fixture.image('disk.img', SIZE_BYTES, 1);
  const { mapper } = fixture;
  const ruleCount = RULES.split(' ').length;
  const table = `0 ${SECTORS} chaos ${image} 0 ${ruleCount + 1} seed=${seed} ${RULES}`;
  await mapper.create({ name: 'odd', table });
  await mapper.create({ name: 'disk', table: `0 ${SECTORS} striped 1 128 mapper/odd 0` });
  const client = await fixture.connect();
  const prng = createPrng(7);
  const trace: string[] = [];
  for (let count = 0; count < 600; count += 1) {
    const offset = prng.integer(0, SIZE_BYTES / 4096 - 4) * 4096;
    const length = prng.integer(1, 4) * 4096;
    const kind = prng.integer(0, 9);
    if (kind < 4) {
      const { error, data } = await client.read(offset, length);
      trace.push(`r${error} ${error === 0 ? createHash('sha1').update(data).digest('hex') : ''}`);
    } else if (kind < 9) {
      const { error } = await client.write(offset, prng.fill(new Uint8Array(length)));
      trace.push(`w${error}`);
    } else {
      trace.push(`f${(await client.request({ command: Command.flush })).error}`);
    }
  }
  const status = mapper.status('odd')[0]!.status;
  await mapper.suspend('odd');
  return { trace, status, disk: createHash('sha1').update(readFileSync(image)).digest('hex') };
}

test('the same seed of chaos does the same to the same requests', async () => {
  const first = await runChaos(5);
  expect(await runChaos(5)).toEqual(first);
  for (const [, fired] of first.status.matchAll(/:(\d+)\//g))
    expect(Number(fired)).toBeGreaterThan(0);
  const other = await runChaos(6);
  expect(other.trace).not.toEqual(first.trace);
});
