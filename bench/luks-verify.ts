/** That all servers give the same plaintext of the same image, before anything of them is timed. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningServer } from './servers.ts';
import { progress, run } from './tools.ts';

export async function verifySameContent(
  folder: string,
  ours: RunningServer,
  others: readonly RunningServer[],
): Promise<void> {
  const copy = (name: string) => join(folder, `verify-${name}.img`);
  await run('nbdcopy', ['--no-extents', ours.uri(), copy('ours')]);
  for (const server of others) {
    progress(`${server.name}: comparing the content`);
    await run('nbdcopy', ['--no-extents', server.uri(), copy('other')]);
    await run('cmp', [copy('ours'), copy('other')]);
  }
  for (const name of ['ours', 'other']) rmSync(copy(name), { force: true });
}
