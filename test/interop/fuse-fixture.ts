/**
 * A mapper in this process and its mount. What serves the mount is this thread, so tests never touch the mounted folder with
 * synchronous calls: other programs do, and `fs/promises`.
 */

import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPrng } from '../../src/base/prng.ts';
import { FuseExport } from '../../src/exports/fuse/fuse-export.ts';
import { DeviceMapper, type DeviceMapperOptions } from '../../src/mapper/device-mapper.ts';
import { loadSystem } from '../../src/system/index.ts';
import { findTool } from '../../src/testing/tools.ts';
import { succeed } from './serve-process.ts';

const builder = createRequire(import.meta.url)('../../scripts/ensure-build.cjs') as {
  ensureBuild(): void;
};
// Threads load `dist`, whatever this process was loaded from.
builder.ensureBuild();

/** Why nothing can be mounted here, or null. */
export function fuseObstacle(): string | null {
  if (process.platform !== 'linux' || loadSystem() === null) return 'needs Linux and koffi';
  if (!existsSync('/dev/fuse')) return 'needs /dev/fuse';
  const isRoot = process.getuid?.() === 0;
  const program = isRoot ? 'mount' : 'fusermount3';
  return findTool(program) === null ? `needs ${program}` : null;
}

export class FuseFixture implements AsyncDisposable {
  readonly folder: string;
  readonly mapper: DeviceMapper;
  readonly mount: FuseExport;
  readonly reports: string[];

  private constructor(folder: string, mapper: DeviceMapper, mount: FuseExport, reports: string[]) {
    this.folder = folder;
    this.mapper = mapper;
    this.mount = mount;
    this.reports = reports;
  }

  static async start(options: DeviceMapperOptions = {}): Promise<FuseFixture> {
    const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const folder = mkdtempSync(join(parent, 'devmapper-fuse-'));
    const mapper = new DeviceMapper(options);
    const reports: string[] = [];
    const mount = await FuseExport.mount({
      mapper: mapper.engine,
      folder: join(folder, 'mapper'),
      report: (message) => reports.push(message),
    });
    return new FuseFixture(folder, mapper, mount, reports);
  }

  /** An image of a hole, or with random content of `seed`. */
  image(name: string, sizeBytes: number, seed?: number): string {
    const path = join(this.folder, name);
    writeFileSync(path, seed === undefined ? '' : createPrng(seed).fill(new Uint8Array(sizeBytes)));
    truncateSync(path, sizeBytes);
    return path;
  }

  /** A device of one image; answers the path of its file. */
  async create(name: string, sizeBytes: number, seed?: number): Promise<string> {
    const image = this.image(`${name}.img`, sizeBytes, seed);
    await this.mapper.create({ name, table: `0 ${sizeBytes / 512} linear ${image} 0` });
    return this.path(name);
  }

  path(name: string): string {
    return join(this.mount.folder, name);
  }

  /** Runs Python with `fd` open on the file for reading and writing; answers what it prints. */
  async python(path: string, ...lines: string[]): Promise<string> {
    const start = [
      'import os, sys, mmap, fcntl, ctypes, errno',
      'fd = os.open(sys.argv[1], os.O_RDWR)',
    ];
    const output = await succeed('python3', '-c', [...start, ...lines].join('\n'), path);
    return output.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.mapper.list()) {
      if (this.mapper.info(name).suspended) await this.mapper.resume(name);
    }
    await this.mount.unmount().catch(() => this.mount.unmount({ force: true }));
    await this.mapper.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
