/** `devmapper exec` and `devmapper shell`: an unmodified program whose device mapper is the daemon. */

import { DmError } from '../base/errors.ts';
import { connectClient } from '../control/client/index.ts';
import { ensureDaemon } from '../daemon/ensure-daemon.ts';
import { stateFolder, statePaths } from '../system/state-folder.ts';
import { findProgram, preloadObstacle } from './find-program.ts';
import { preloadLibrary } from './library.ts';
import { runProgram } from './run.ts';
import {
  canMakeNodes,
  type MappedDevices,
  prepareWorld,
  type View,
  worldEnvironment,
} from './world.ts';

export interface ExecOptions {
  /** Devices in a /dev of their own, although nodes could be made. */
  private?: boolean;
  /** Added to the program's environment. */
  environment?: Readonly<Record<string, string>>;
  /** For what the user should know and the program cannot say. */
  warn: (message: string) => void;
}

/** Resolves with the program's exit status. Throws DmError. */
export async function execute(
  name: string,
  words: readonly string[],
  options: ExecOptions,
): Promise<number> {
  const { folder } = statePaths(stateFolder());
  const program = locate(name, options.warn);
  const library = preloadLibrary(folder);
  await ensureDaemon({ folder });
  const mapped = await askDaemon(folder, options.warn);
  const view: View = options.private || !canMakeNodes(folder, mapped.major) ? 'private' : 'nodes';
  const world = { folder, mapped, view };
  prepareWorld(world);
  const environment = { ...worldEnvironment(world, library), ...options.environment };
  return runProgram(program, words, environment);
}

function locate(name: string, warn: (message: string) => void): string {
  const searchPath = process.env['PATH'] ?? '';
  const program = findProgram(name, searchPath);
  if (program === null) throw new DmError('ENOENT', `Cannot run ${name}: there is no such program`);
  const obstacle = preloadObstacle(program, searchPath);
  if (obstacle !== null) warn(`${obstacle}: it sees no mapped devices (see docs/exec.md)`);
  return program;
}

/** Has the daemon show its devices as files and in sysfs. Without FUSE, devices can be managed but not opened. */
async function askDaemon(folder: string, warn: (message: string) => void): Promise<MappedDevices> {
  await using client = await connectClient({ transport: 'socket', folder });
  try {
    await client.daemon('mount');
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    warn(`mapped devices cannot be opened, only managed: ${error.message}`);
  }
  return (await client.daemon('sysfs')) as MappedDevices;
}
