/** What cryptsetup says of the malformed headers of test/golden/luks-evil: their list tells the truth about it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { requireTools } from '../../src/testing/tools.ts';
import { makeLuks1, makeLuks2 } from '../golden/luks-evil/base.ts';
import type { EvilCase } from '../golden/luks-evil/evil-case.ts';
import { luks1Cases } from '../golden/luks-evil/luks1-cases.ts';
import { luks2Cases } from '../golden/luks-evil/luks2-cases.ts';
import { run } from './serve-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-evil-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The names of cases that cryptsetup answers otherwise. Reading is all that it is asked for, and yet it repairs: each image is made anew. */
async function wrongVerdicts(base: Uint8Array, cases: readonly EvilCase[]): Promise<string[]> {
  const path = join(folder, 'image');
  const wrong: string[] = [];
  for (const { name, takenBy, change } of cases) {
    const image = new Uint8Array(base);
    change(image);
    writeFileSync(path, image);
    const { status } = await run('cryptsetup', 'luksDump', path);
    const isTaken = status === 0;
    if (isTaken !== (takenBy !== 'nobody')) wrong.push(`${name}: ${status}`);
  }
  return wrong;
}

requireTools('cryptsetup')('malformed LUKS headers', () => {
  it('of version 1 are judged by cryptsetup as listed', async () => {
    expect(await wrongVerdicts(await makeLuks1(), luks1Cases)).toEqual([]);
  });

  it('of version 2 are judged by cryptsetup as listed', async () => {
    expect(await wrongVerdicts(await makeLuks2(), luks2Cases)).toEqual([]);
  });
});
