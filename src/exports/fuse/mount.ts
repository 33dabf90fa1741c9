/**
 * Mounting, unmounting, and what a crash left mounted. As root mount(8) and umount(8) do it, for anybody else fusermount3,
 * which is installed setuid root and sends the descriptor back over a socket.
 *
 * A mount whose process died answers everything with ENOTCONN ("Transport endpoint is not connected") until it is unmounted.
 */

import { spawn } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { endsWithin, systemClock } from '../../base/clock.ts';
import { DmError, Errno, errnoName } from '../../base/errors.ts';
import { MAX_IO_BYTES } from '../../protocols/fuse/constants.ts';
import type { System } from '../../system/index.ts';
import { mountsOfType, OWN_MOUNT_TYPE } from '../../system/mount-list.ts';

/** As `mount` and `df` show it. */
const SOURCE = 'devmapper';
/** A mount that does not answer within this has a process that is stuck or stopped. */
const ANSWER_LIMIT_MS = 2000;
/** Mounts over one another that are cleared away; more cannot come from crashes. */
const STALE_LIMIT = 8;

/** The process that asked: what it may do decides which program is used. */
function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Mounts on `folder`, made if need be, and answers the descriptor to serve. Throws DmError. */
export async function mountFuse(folder: string, system: System): Promise<number> {
  await recoverStaleMount(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (await isMounted(folder)) {
    throw new DmError('EBUSY', `Cannot mount on ${folder}: devmapper is mounted there already`);
  }
  return isRoot() ? mountAsRoot(folder, system) : mountAsUser(folder, system);
}

async function mountAsRoot(folder: string, system: System): Promise<number> {
  const fd = openFuseDevice();
  const options = [
    'fd=3',
    'rootmode=40000',
    `user_id=${process.getuid?.() ?? 0}`,
    `group_id=${process.getgid?.() ?? 0}`,
    'allow_other',
    'default_permissions',
    `max_read=${MAX_IO_BYTES}`,
    'nosuid,nodev,noatime',
  ].join(',');
  const words = ['-i', '-t', OWN_MOUNT_TYPE, '-o', options, SOURCE, folder];
  const { status, text } = await run('mount', words, { fd });
  if (status === 0) return fd;
  system.descriptors.close(fd);
  throw new DmError('EPERM', `Cannot mount on ${folder}: ${text || `mount exited with ${status}`}`);
}

async function mountAsUser(folder: string, system: System): Promise<number> {
  const pair = system.sockets.createPair();
  if (typeof pair === 'number') {
    throw new DmError('ENFILE', `Cannot mount on ${folder}: no socket: ${errnoName(-pair)}`);
  }
  const [ours, theirs] = pair;
  try {
    const options = `nosuid,nodev,noatime,default_permissions,max_read=${MAX_IO_BYTES},fsname=${SOURCE},subtype=devmapper`;
    const words = ['-o', options, '--', folder];
    const { status, text } = await run('fusermount3', words, { fd: theirs });
    const fd = status === 0 ? system.fuse.receiveDescriptor(ours) : -Errno.EPERM;
    if (fd >= 0) {
      system.descriptors.setBlocking(fd, false);
      return fd;
    }
    const reason = text || `fusermount3 exited with ${status}`;
    throw new DmError('EPERM', `Cannot mount on ${folder}: ${reason}`);
  } finally {
    system.descriptors.close(ours);
    system.descriptors.close(theirs);
  }
}

/** Another open of /dev/fuse, without waiting reads. */
export function openFuseDevice(): number {
  try {
    return openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice = 'FUSE needs a Linux kernel with it, and in a container the device /dev/fuse';
    throw new DmError('ENODEV', `Cannot use FUSE: ${reason}; ${advice}`);
  }
}

/**
 * EBUSY while a file is open, unless `force`: then it goes from the tree now, and what is open ends with the process.
 * Succeeds when nothing is mounted.
 */
export async function unmountFuse(
  folder: string,
  options: { force?: boolean } = {},
): Promise<void> {
  if (!(await isMounted(folder))) return;
  const { status, text } = await runUnmount(folder, options.force ?? false);
  if (status === 0 || !(await isMounted(folder))) return;
  const reason = text || `exit status ${status}`;
  throw new DmError('EBUSY', `Cannot unmount ${folder}: ${reason}`);
}

function runUnmount(folder: string, lazy: boolean): Promise<Ended> {
  return isRoot()
    ? run('umount', [...(lazy ? ['-l'] : []), '-i', folder])
    : run('fusermount3', ['-u', ...(lazy ? ['-z'] : []), '--', folder]);
}

/** Unmounts what a process that died left on `folder`; answers whether there was such a mount. Throws DmError. */
export async function recoverStaleMount(folder: string): Promise<boolean> {
  let found = false;
  for (let count = 0; count < STALE_LIMIT; count += 1) {
    if (!(await isStale(folder))) return found;
    found = true;
    const { status, text } = await runUnmount(folder, true);
    if (status !== 0) {
      throw new DmError(
        'EBUSY',
        `Cannot unmount ${folder}, which a process that died left mounted: ${text}`,
      );
    }
  }
  return found;
}

async function isStale(folder: string): Promise<boolean> {
  const asked = stat(folder).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOTCONN',
  );
  if (await endsWithin(systemClock, ANSWER_LIMIT_MS, asked)) return asked;
  throw new DmError('EBUSY', `Cannot mount on ${folder}: what is mounted there does not answer`);
}

/** Asks the kernel's list, and so never the mount itself. */
async function isMounted(folder: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const parent = await realpath(dirname(resolve(folder))).catch(() => null);
  if (parent === null) return false;
  const wanted = join(parent, basename(resolve(folder)));
  return mountsOfType(OWN_MOUNT_TYPE, mounts).some(({ place }) => place === wanted);
}

interface Ended {
  status: number;
  /** What it had to say, on one line. */
  text: string;
}

/** Runs a program to its end; `fd` becomes its descriptor 3. */
function run(
  program: string,
  words: readonly string[],
  options: { fd?: number } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const inherited = options.fd === undefined ? [] : [options.fd];
    const child = spawn(program, words, {
      stdio: ['ignore', 'ignore', 'pipe', ...inherited],
      env: { ...process.env, _FUSE_COMMFD: '3', LC_ALL: 'C', PATH: withSystemFolders() },
    });
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-2000);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      const advice = program === 'fusermount3' ? ' (package fuse3)' : '';
      const reason = error.code === 'ENOENT' ? `not installed${advice}` : error.message;
      reject(new DmError('ENOENT', `Cannot run ${program}: ${reason}`));
    });
    child.on('close', (status) => {
      resolve({ status: status ?? -1, text: text.trim().replace(/\s*\n\s*/g, '; ') });
    });
  });
}

/** Administrators' programs, which an ordinary PATH lacks. */
function withSystemFolders(): string {
  return `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`;
}
