/** `devmapper exec` and `devmapper shell`: an unmodified program whose device mapper is the daemon. */

import { existsSync } from 'node:fs';
import { DmError } from '../base/errors.ts';
import { connectClient } from '../control/client/index.ts';
import { ensureDaemon } from '../daemon/ensure-daemon.ts';
import { makeStateFolder, stateFolder, statePaths } from '../system/state-folder.ts';
import { findProgram, preloadObstacle } from './find-program.ts';
import { preloadLibrary } from './library.ts';
import { ProgramError } from './program-error.ts';
import { runProgram } from './run.ts';
import {
  canMakeNodes,
  type MappedDevices,
  mayWantNodes,
  prepareWorld,
  type View,
  worldEnvironment,
} from './world.ts';

/** As `world.folder` of preload.c. */
const MAX_FOLDER_BYTES = 511;

export interface ExecOptions {
  /** Devices in a /dev of their own, although nodes could be made. */
  private?: boolean;
  /** Added to the program's environment. */
  environment?: Readonly<Record<string, string>>;
  /** Of this package; a daemon of another one is refused. */
  version: string;
  /** For what the user should know and the program cannot say. */
  warn: (message: string) => void;
}

/** Resolves with the program's exit status. Throws DmError. */
export async function execute(
  name: string,
  words: readonly string[],
  options: ExecOptions,
): Promise<number> {
  const paths = statePaths(stateFolder());
  const { folder } = paths;
  checkLength(folder);
  const program = locate(name, options.warn);
  // A folder that is somebody else's is refused here, with the reason.
  makeStateFolder(paths);
  const library = preloadLibrary(folder);
  await ensureDaemon({ folder });
  const mapped = await askDaemon(folder, options);
  const view: View = mapped.nodes && canMakeNodes(folder, mapped.major) ? 'nodes' : 'private';
  const world = { folder, mapped, view };
  prepareWorld(world);
  const environment = { ...worldEnvironment(world, library), ...options.environment };
  return runProgram(program, words, environment);
}

function locate(name: string, warn: (message: string) => void): string {
  const searchPath = process.env['PATH'] ?? '';
  const program = findProgram(name, searchPath);
  if (program === null) throw noProgram(name);
  const obstacle = preloadObstacle(program, searchPath);
  if (obstacle !== null) warn(`${obstacle}: it sees no mapped devices (see docs/exec.md)`);
  return program;
}

/** The library has room for so many, and would show nothing without a word. */
function checkLength(folder: string): void {
  const bytes = Buffer.byteLength(folder);
  if (bytes <= MAX_FOLDER_BYTES) return;
  const limit = `${bytes} bytes, expected at most ${MAX_FOLDER_BYTES}`;
  throw new DmError('EINVAL', `Cannot run programs in ${folder}: the path has ${limit}`);
}

function noProgram(name: string): ProgramError {
  const isThere = name.includes('/') && existsSync(name);
  return isThere
    ? new ProgramError('EACCES', `Cannot run ${name}: it is not an executable file`)
    : new ProgramError('ENOENT', `Cannot run ${name}: there is no such program`);
}

/** Has the daemon show its devices as files and in sysfs. Without FUSE, devices can be managed but not opened. */
async function askDaemon(
  folder: string,
  { private: isPrivate = false, version, warn }: ExecOptions,
): Promise<MappedDevices> {
  await using client = await connectClient({ transport: 'socket', folder });
  checkVersion(await client.daemon('status'), folder, version);
  try {
    await client.daemon('mount');
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    warn(`mapped devices cannot be opened, only managed: ${error.message}`);
  }
  return (await client.daemon('sysfs', { nodes: !isPrivate && mayWantNodes() })) as MappedDevices;
}

/** The library and the daemon understand each other only if they are of one version. */
function checkVersion(status: unknown, folder: string, version: string): void {
  const { version: running, pid } = status as { version?: unknown; pid?: unknown };
  if (running === version) return;
  const found = `the daemon in ${folder} (process id ${String(pid)}) is devmapper ${String(running)}, this is ${version}`;
  throw new DmError(
    'EPROTO',
    `Cannot run programs on mapped devices: ${found}; end it with "devmapper daemon stop"`,
  );
}
