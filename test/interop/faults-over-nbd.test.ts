/** flakey and dust under threads that pass them by: what they begin to do is done from that moment on. */

import { expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { Errno } from '../../src/base/errors.ts';
import { loadSystem } from '../../src/system/index.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import { PlaneFixture } from './plane-fixture.ts';

const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;
const SIZE_BYTES = 1 << 20;
const SECTORS = SIZE_BYTES / 512;

async function start(table: (image: string) => string) {
  const fixture = await PlaneFixture.start();
  const image = fixture.image('disk.img', SIZE_BYTES, 1);
  const beforeMs = systemClock.nowMs();
  await fixture.mapper.create({ name: 'disk', table: table(image) });
  const afterMs = systemClock.nowMs();
  const client = await fixture.connect();
  const read = async () => (await client.read(4096, 512)).error;
  return { fixture, client, read, beforeMs, afterMs };
}

describeUnless(obstacle)('over NBD, read by a thread', () => {
  test('a block is bad once the message is answered, and good again once it is written', async () => {
    const { fixture, client, read } = await start((image) => `0 ${SECTORS} dust ${image} 0 512`);
    await using _ = fixture;
    const tell = (...words: string[]) => fixture.mapper.message('disk', words);
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
