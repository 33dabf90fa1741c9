/**
 * Re-encryption together with cryptsetup: each kind begun, killed and resumed by both in turn. REENCRYPT_ROUNDS=200 plays as many, in every second of which our
 * side is a process of its own that is killed by SIGKILL.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireTools } from '../../src/testing/tools.ts';
import { playRound, scenarios } from './reencrypt-rounds.ts';
import { temporaryFolder } from './serve-process.ts';

const firstSeed = Number(process.env['REENCRYPT_SEED'] ?? 1);
const roundCount = Number(process.env['REENCRYPT_ROUNDS'] ?? scenarios.length);
const isLong = roundCount > scenarios.length;

requireTools('cryptsetup', 'strace')('re-encryption by us and cryptsetup in turn', () => {
  test(`${roundCount} rounds from seed ${firstSeed}`, async () => {
    using folder = temporaryFolder();
    const failures: unknown[] = [];
    for (let index = 0; index < roundCount; index += 1) {
      const seed = firstSeed + index;
      const inside = join(folder.path, String(seed));
      mkdirSync(inside);
      const scenario = scenarios[index % scenarios.length]!;
      const killCount = isLong ? 1 + (index % 4) : 2;
      const round = playRound({
        seed,
        scenario,
        killCount,
        inProcess: !isLong || index % 2 === 1,
        folder: inside,
      });
      const log = await round.catch((error: unknown) => {
        failures.push(error);
        return String(error);
      });
      if (isLong) process.stdout.write(`${log}\n`);
      rmSync(inside, { recursive: true });
    }
    expect(failures).toEqual([]);
  }, 3_600_000);
});
