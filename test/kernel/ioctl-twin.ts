/** Runs the ioctl cases twice: in a real kernel through `ioctl-raw.c`, and here through `handleIoctl`. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errnoOf } from '../../src/base/errors.ts';
import { createSession, handleIoctl } from '../../src/control/ioctl/index.ts';
import type { OpenedDevice } from '../../src/core/device-opener.ts';
import { Mapper } from '../../src/core/mapper.ts';
import { createTargetRegistry } from '../../src/core/target.ts';
import { targets } from '../../src/targets/index.ts';
import { TestDisks } from '../../src/testing/test-disk.ts';
import { type IoctlCase, KERNEL_MAJOR } from './ioctl-case.ts';
import { runInKernel } from './kernel.ts';

export interface IoctlResult {
  errno: number;
  /** The caller's memory afterwards. */
  memory: Buffer;
}

const source = fileURLToPath(new URL('./ioctl-raw.c', import.meta.url));
const DISK_SECTORS = 2048;
const RECORD_BYTES = 8;
const Kind = { open: 0, close: 1 } as const;

export async function runIoctlsInKernel(cases: readonly IoctlCase[]): Promise<IoctlResult[]> {
  const shareDir = mkdtempSync(join(tmpdir(), 'devmapper-ioctl-'));
  try {
    execFileSync('gcc', ['-O1', '-Wall', '-static', '-o', join(shareDir, 'ioctl-raw'), source]);
    writeFileSync(join(shareDir, 'requests'), Buffer.concat(cases.map(encodeCase)));
    const { status, stderr } = await runInKernel({ script: kernelScript, shareDir });
    if (status !== 0) throw new Error(`The kernel's run failed (${status}): ${stderr}`);
    return decodeResults(readFileSync(join(shareDir, 'replies')));
  } finally {
    rmSync(shareDir, { recursive: true, force: true });
  }
}

/** Links of udev are not there: nodes are devtmpfs's own. */
const kernelScript = `set -e
for n in 0 1; do truncate -s 1M /tmp/$n; losetup /dev/loop$n /tmp/$n; done
/share/ioctl-raw /share/requests /share/replies`;

function encodeCase({ action, memory }: IoctlCase): Buffer {
  const head = Buffer.alloc(RECORD_BYTES);
  const kind = action === 'close' ? Kind.close : 'open' in action ? Kind.open : action.ioctl;
  head.writeUInt32LE(kind, 0);
  head.writeUInt32LE(memory.length, 4);
  return Buffer.concat([head, memory]);
}

function decodeResults(bytes: Buffer): IoctlResult[] {
  const results: IoctlResult[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const start = offset + RECORD_BYTES;
    const end = start + bytes.readUInt32LE(offset + 4);
    results.push({ errno: bytes.readInt32LE(offset), memory: bytes.subarray(start, end) });
    offset = end;
  }
  return results;
}

export async function runIoctlsHere(cases: readonly IoctlCase[]): Promise<IoctlResult[]> {
  const size = { sizeSectors: DISK_SECTORS };
  const mapper = new Mapper({
    registry: createTargetRegistry(targets),
    opener: new TestDisks({ '7:0': size, '7:1': size }),
    major: KERNEL_MAJOR,
  });
  const context = { mapper, settle: () => Promise.resolve() };
  const session = createSession(mapper);
  const kept: OpenedDevice[] = [];
  const results: IoctlResult[] = [];
  for (const { action, memory } of cases) {
    if (action === 'close') {
      kept.shift()!.release();
      results.push({ errno: 0, memory: Buffer.from(memory) });
    } else if ('open' in action) {
      results.push({ errno: open(mapper, action.open, kept), memory: Buffer.from(memory) });
    } else {
      const buffer = Buffer.from(memory);
      const { signal } = new AbortController();
      const request = { command: action.ioctl, buffer, directory: '/', signal, session };
      const reply = await handleIoctl(context, request);
      buffer.set(reply.buffer);
      results.push({ errno: reply.errno, memory: buffer });
    }
  }
  return results;
}

function open(mapper: Mapper, minor: number, kept: OpenedDevice[]): number {
  try {
    const device = mapper.findNumber({ major: KERNEL_MAJOR, minor });
    if (device) kept.push(mapper.open(device));
    return device ? 0 : errnoOf({ code: 'ENOENT' });
  } catch (error) {
    return errnoOf(error);
  }
}
