import { expect, test } from 'vitest';
import { testSeed } from '../../src/testing/seed.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import { execObstacle, openWorld } from './exec-rig.ts';
import { describe as describeResult, runSoak } from './soak/soak.ts';

const DURATION_MS = 10_000;

describeUnless(execObstacle())('clients that are killed', () => {
  test('leave nothing behind, and every command is answered', async () => {
    await using world = openWorld();
    await world.output('dmsetup version'); // starts the daemon and its FUSE mount
    const seed = testSeed();
    const result = await runSoak({
      seed,
      durationMs: DURATION_MS,
      clientCount: 8,
      shellCount: 2,
      folder: world.folder,
    });
    const words = `DEVMAPPER_SEED=${seed}: ${describeResult(result)}`;
    process.stdout.write(`${words}\n`);
    expect(result.failures, words).toEqual([]);
    expect(result.outcomes['ok'], words).toBeGreaterThan(100);
    expect(result.killCount, words).toBeGreaterThan(3);
    const stopped = await world.devmapper('daemon', 'stop');
    expect(stopped, words).toMatchObject({ status: 0 });
  });
});
