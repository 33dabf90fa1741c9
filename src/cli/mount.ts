/** What `mount` and `umount` ask of the daemon. */

import { connectClient } from '../control/client/index.ts';
import { ensureDaemon } from '../daemon/ensure-daemon.ts';
import { stateFolder, statePaths } from '../system/state-folder.ts';
import { somebodyAnswers } from '../system/unix-socket.ts';

interface MountAnswer {
  folder: string;
}

interface UnmountAnswer extends MountAnswer {
  wasMounted: boolean;
}

export async function mount({ json }: { json?: boolean }): Promise<number> {
  await ensureDaemon();
  await using client = await connectClient({ transport: 'socket' });
  const answer = (await client.daemon('mount')) as MountAnswer;
  process.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${answer.folder}\n`);
  return 0;
}

/** Without a daemon nothing is mounted, which is what was asked for. */
export async function unmount(options: { force?: boolean; json?: boolean }): Promise<number> {
  const paths = statePaths(stateFolder());
  const force = options.force ?? false;
  let answer: UnmountAnswer = { folder: paths.mapper, wasMounted: false };
  if (await somebodyAnswers(paths.control)) {
    await using client = await connectClient({ transport: 'socket' });
    answer = (await client.daemon('unmount', { force })) as UnmountAnswer;
  }
  if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`);
  return 0;
}
